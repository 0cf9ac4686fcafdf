"""Say what holds, setting by setting, and where each is from: the file, the environment, or nobody having set it.

For people: what may be secret in a setting is left out.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..catalog import all_facts, canonical_name, in_variables
from ..redaction import redact
from ..request import Timeout
from .lines import line_of
from .rewriting import settings_text
from .settings import SecretReference, Settings
from .storage import load_settings

DEFAULT = "default"
"""The origin of what nobody has set."""

_MASK = "********"
_SECRET = re.compile(r"key|token|secret|auth|cookie|passw|credential|signature|session", re.IGNORECASE)
"""What is in the name of a header whose value is likely to be a credential."""

_FROM_ENVIRONMENT = re.compile(r"HOMEOSTASIS_([A-Z0-9_]+)_(BASE_URL|API_KEY_FILE)")


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting."""

    key: str
    """As in `providers.openai.timeout`."""
    value: Any
    """JSON can have it; None where there is none."""
    origin: str
    """`default`, `line 7` of the file, or `environment variable OPENAI_BASE_URL`."""


def effective_settings(path: str | os.PathLike[str] | None = None) -> list[Effective]:
    """All settings, as the file at `path`, by default `config_path()`, and the environment have them.

    Of providers, only what is set. Raises `ConfigError`.
    """
    settings = load_settings(path)
    text = settings_text(path).removeprefix("\N{BYTE ORDER MARK}")
    document = tomllib.loads(text)
    found: dict[tuple[str, ...], Any] = {
        ("active_provider",): settings.active_provider or "auto",
        ("fallback_order",): settings.fallback_order,
        ("enable_fallback",): settings.enable_fallback,
        **{("provider_policies", name): level for name, level in settings.provider_policies.model_dump().items()},
        **{("openrouter_unified", name): given for name, given in settings.openrouter_unified.model_dump().items()},
        **{("failover", name): given for name, given in settings.failover.model_dump().items()},
        **{("spending", name): given for name, given in settings.spending.model_dump().items()},
    }
    from_environment = _environment(settings)
    for name, own in settings.providers.items():
        for setting in sorted(own.model_fields_set):
            if (value := getattr(own, setting)) is not None:
                found["providers", name, setting] = value
    listed = [
        Effective(".".join(steps), _shown(steps, value), _origin(text, document, steps))
        for steps, value in found.items()
        if steps not in from_environment
    ]
    listed += [
        Effective(".".join(steps), value, f"environment variable {variable}")
        for steps, (variable, value) in from_environment.items()
    ]
    # What holds for all before what holds for single providers, whose names are sorted.
    return sorted(listed, key=lambda one: (one.key.startswith("providers."), one.key if "." in one.key else ""))


def _origin(text: str, document: Mapping[str, Any], steps: Sequence[str]) -> str:
    spelled = list(steps)
    if steps[0] == "providers":
        spelled[1] = next(name for name in document["providers"] if canonical_name(name) == steps[1])
    line = line_of(text, spelled)
    return DEFAULT if line is None else f"line {line}"


def _environment(settings: Settings) -> dict[tuple[str, ...], tuple[str, str]]:
    """What the environment sets: the variable, and its value as it may be shown."""
    found: dict[tuple[str, ...], tuple[str, str]] = {}
    # A variable does not tell `my.llm` from `my_llm`; the file may.
    spelled = {in_variables(name): name for name in settings.providers}
    for variable, given in os.environ.items():
        match = _FROM_ENVIRONMENT.fullmatch(variable)
        if match is not None and given.strip():
            setting = match[2].lower()
            shown = _url(given.strip()) if setting == "base_url" else given.strip()
            found["providers", spelled.get(match[1]) or canonical_name(match[1]), setting] = (variable, shown)
    for name, facts in all_facts().items():
        steps = ("providers", name, "base_url")
        own = next((variable for variable in facts.base_url_env if os.environ.get(variable, "").strip()), None)
        # The provider's own variable is the last that counts.
        if own is not None and steps not in found and settings.provider(name).base_url is None:
            found[steps] = (own, _url(os.environ[own].strip()))
    return found


def _shown(steps: Sequence[str], value: Any) -> Any:
    if steps[-1] == "headers":
        return {name: _MASK if _SECRET.search(name) else redact(text) for name, text in value.items()}
    if steps[-1] == "api_key_command":
        # What a program is given may be what opens its store.
        return [value[0], _MASK] if len(value) > 1 else [value[0]]
    if isinstance(value, Timeout):
        return {name: seconds for name, seconds in asdict(value).items() if seconds is not None}
    if isinstance(value, (Path, SecretReference)):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _url(given: str) -> str:
    """A base URL without what may be secret in it."""
    try:
        parts = urlsplit(given)
    except ValueError:
        return _MASK
    user, _, host = parts.netloc.rpartition("@")
    return redact(
        f"{parts.scheme}://{f'{_MASK}@' if user else ''}{host}{parts.path}{f'?{_MASK}' if parts.query else ''}"
    )
