"""How the embedded model, which is too small to decide on a tool, is brought to call one on llama.cpp's own wire.

Three things together: a chat template with a place for tools, whose calls begin with a token that the model has for
something else (`<jupyter_script>`); a logit bias that makes it choose that token first, from where llama.cpp's grammar
writes the call; and a stop at what closes the call, for with the bias it would call for ever. What is on the wire is
llama.cpp's, to the last byte; only the decision is not the model's.
"""

from __future__ import annotations

OPENING, CLOSING = "<jupyter_script>", "</jupyter_script>"
OPENING_TOKEN = 15

TOOLS_NOTE = (
    "The model is too small to decide on a tool: a chat template of this repository "
    "(tests/cassettes/tool_template.py), a logit bias on the token that opens a call, and a stop where it ends see to "
    "it. The call itself is written by llama.cpp's grammar, and the wire is llama.cpp's own."
)

EXTRA = {"logit_bias": {str(OPENING_TOKEN): 25}}
STOP = [CLOSING]

_CALL = (
    "'" + OPENING + '{"name": "\' + call.function.name + \'", "arguments": \' + (call.function.arguments | tojson) + '
    "'}" + CLOSING + "'"
)

TEMPLATE = (
    "{% if tools %}{{ '<|im_start|>system\\nYou call functions.' }}"
    "{% for tool in tools %}{{ '\\n' }}{{ tool | tojson }}{% endfor %}{{ '<|im_end|>\\n' }}{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}"
    "{% if message.content %}{{ message.content }}{% endif %}"
    "{% if message.tool_calls %}{% for call in message.tool_calls %}{{ " + _CALL + " }}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
