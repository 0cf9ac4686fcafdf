"""Tell which environment variables are the developer's own business, and no test's."""

from __future__ import annotations

import re

# Keys, tokens, addresses and switches that would have a test ask another provider, or be watched by a tracer.
_PERSONAL = re.compile(
    r"""
    .*_(API_?KEY|KEY|TOKEN|SECRET|CREDENTIALS?|JWT|API_BASE|URL|ENDPOINT|HOST)
    | (HOMEOSTASIS|LITELLM|LANGCHAIN|LANGSMITH|AWS|AZURE|GOOGLE|HF|OPENAI|ANTHROPIC)_.*
    | (HTTPS?|ALL|NO)_PROXY
    """,
    re.VERBOSE | re.IGNORECASE,
)


# By which way litellm is called is for who runs the tests to say: they are to pass on both.
_OF_THE_RUN = "HOMEOSTASIS_LITELLM_LANE"


def is_personal(variable: str) -> bool:
    """Whether tests and the processes they start must not see it."""
    return variable != _OF_THE_RUN and _PERSONAL.fullmatch(variable) is not None
