"""`homeostasis llm set-key`, `list-keys` and `remove-key`: which keys are kept, and where. No key is ever printed."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from ..errors import LLMError
from ..redaction import redact
from .arguments import PROVIDER
from .passphrase import unlock, with_passphrase
from .screen import is_terminal, show_table, waiting
from .terminal import note, piped_text

if TYPE_CHECKING:
    from pydantic import SecretStr

    from ..api_key_manager import APIKeyManager, KeySource
    from ..keys.errors import KeyStorageError
    from ..registry import ProviderEntry

NOTHING = "-"

logger = logging.getLogger(__name__)

_NOT_STORED = "Nothing was stored."
_UNCHECKED = f"{_NOT_STORED} To store it unchecked, add --no-validate."


@click.command("set-key")
@click.argument("provider", type=PROVIDER)
@click.option(
    "-k", "--key", metavar="KEY", help="The key; better left out: it stays in the shell's history, for others to read."
)
@click.option("--label", metavar="LABEL", help="Keep it beside the provider's other keys, under this name.")
@click.option("--no-validate", is_flag=True, help="Store it as it is, without asking the provider.")
@click.option(
    "--deep",
    is_flag=True,
    help="Also have one token written, which tells about credit too, and which the provider may charge.",
)
def set_key(*, provider: str, key: str | None, label: str | None, no_validate: bool, deep: bool) -> None:
    """Check the key of PROVIDER, and store it in the keyring of this system.

    The key is asked for, and not shown. It may also be piped in.

    \b
    Examples:
      homeostasis llm set-key openai
      pass show openai | homeostasis llm set-key openai
    """
    if deep and no_validate:
        raise click.UsageError("--deep checks the key, and --no-validate does not: give one of them.")
    from ..api_key_manager import APIKeyManager
    from ..keys.errors import KeyStorageError
    from ..keys.store import checked_label
    from ..registry import ProviderFactory

    # A wrong name stops us before we ask for a secret.
    entry = ProviderFactory.describe(provider, load_plugin=True)
    checked_label(label)
    manager = APIKeyManager()
    secret = _given(entry, key)
    if not no_validate:
        secret = _well_formed(manager, entry.name, secret)
        _check(manager, entry.name, secret, deep=deep)
    unlock(to_store=True)
    try:
        place = manager.set_key(entry.name, secret, validate=False, label=label)
    except KeyStorageError as error:
        raise not_stored(error) from error
    named = "" if label is None else f", as {label}"
    click.echo(f"{entry.name}: stored in {place}{named}")
    used = manager.find_key(entry.name)
    if label is None and used is not None and used.secret.get_secret_value() != secret.get_secret_value().strip():
        note(f"But {used.source} comes before it, and has another key: remove that one to use the stored one.")


def not_stored(error: KeyStorageError) -> click.ClickException:
    """What to do where there is no place for a key, a line each."""
    if not error.ways_out:
        return click.ClickException(str(error))
    backend = f" ({error.backend})" if error.backend and error.backend not in error.reason else ""
    whose = f"{error.provider}: " if error.provider else ""
    ways = (f"  {number}. {way}" for number, way in enumerate(error.ways_out, 1))
    return click.ClickException(
        "\n".join([f"{whose}the key was not stored: {error.reason}{backend}", "What can be done, one of:", *ways])
    )


def _given(entry: ProviderEntry, key: str | None) -> SecretStr:
    from pydantic import SecretStr

    from ..redaction import remember

    if key is not None:
        note("A key on the command line stays in the shell's history, and all users can see it in the process list.")
    elif is_terminal(sys.stdin):
        made = f" (made at {entry.facts.key_url})" if entry.facts is not None and entry.facts.key_url else ""
        title = entry.name if entry.facts is None else entry.facts.title
        key = click.prompt(f"Key for {title}{made}", hide_input=True, err=True)
    else:
        # A line has its end, which is none of the key.
        key = (piped_text() or "").removesuffix("\n").removesuffix("\r")
    if not key:
        raise click.UsageError("There is no key: pipe it in, or run this at a terminal to be asked for it.")
    remember(key)
    return SecretStr(key)


def _well_formed(manager: APIKeyManager, provider: str, secret: SecretStr) -> SecretStr:
    """The key without what was copied along, if that is what the user wants."""
    from pydantic import SecretStr

    key = secret.get_secret_value()
    issues = manager.detect_key_issues(provider, key)
    if not issues:
        return secret
    found = " ".join(issues)
    corrected = manager.suggest_key_correction(provider, key)
    if corrected is None:
        raise click.ClickException(f"{provider}: {found} Nothing was stored: copy the key again.")
    if not is_terminal(sys.stdin):
        raise click.ClickException(
            f"{provider}: {found} Nothing was stored: give the key alone, or run this at a terminal, which offers to "
            "take off what is too much."
        )
    note(found)
    click.confirm("Use the key without that?", default=True, abort=True, err=True)
    return SecretStr(corrected)


def _check(manager: APIKeyManager, provider: str, secret: SecretStr, *, deep: bool) -> None:
    """Tell what the provider says, and stop unless it accepts the key."""
    with waiting(f"Asking {provider} ..."):
        try:
            check = manager.check_key(provider, secret, deep=deep)
        except LLMError:
            raise
        except Exception as error:  # somebody else's provider raises anything
            logger.debug("%s failed while its key was checked", provider, exc_info=True)
            told = redact(f"{provider}: {type(error).__name__}: {error}")
            advice = "That is a mistake in the provider's own code: tell its author."
            raise click.ClickException(f"{told} {advice} {_UNCHECKED}") from None
    if check.ok:
        note(str(check))
        return
    raise click.ClickException(f"{check} {_UNCHECKED if check.ok is None else _NOT_STORED}")


# ---------------------------------------------------------------------------------------------------------- list-keys


@click.command("list-keys")
@click.option("--show-masked", is_flag=True, help="Show the last four characters of the longer keys.")
@click.option("-v", "--verbose", is_flag=True, help="List every place that was looked into, and what was there.")
@click.option("--all", "everyone", is_flag=True, help="Also list the providers without a key.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_keys(*, show_masked: bool, verbose: bool, everyone: bool, as_json: bool) -> None:
    """List which providers have a key, and where it is from.

    The places are looked into in the order in which they count: the environment, the keyring, files, commands, secret
    stores. Commands that are set for a key are run.

    \b
    Example: homeostasis llm list-keys
    """
    from ..api_key_manager import APIKeyManager

    manager = APIKeyManager()
    sources = with_passphrase(manager.key_sources, lambda found: bool(_problems(found)))
    listed = {name: places for name, places in sources.items() if everyone or any(place.has_key for place in places)}
    if as_json:
        facts = [
            {"provider": name, "sources": [_facts(place, show_masked=show_masked) for place in places]}
            for name, places in listed.items()
        ]
        click.echo(json.dumps(facts, ensure_ascii=False))
    elif listed:
        header = ("PROVIDER", "KEY", *(("MASKED",) if show_masked else ()), "FROM")
        rows = [
            (name, *cells)
            for name, places in listed.items()
            for cells in _rows(places, show_masked=show_masked, verbose=verbose)
        ]
        show_table(header, rows)
    else:
        note("No key was found. `homeostasis llm set-key PROVIDER` stores one.")
    for problem in _problems(sources):
        note(f"Not everywhere could be looked: {problem}.")


def _rows(places: Sequence[KeySource], *, show_masked: bool, verbose: bool) -> Iterable[tuple[str, ...]]:
    """The cells beside the name: by default of the places that have a key."""
    shown = [place for place in places if verbose or place.has_key]
    for place in shown:
        state = "used" if place.used else "yes" if place.has_key else "no"
        masked = (place.masked or NOTHING,) if show_masked else ()
        trouble = f" ({place.problem})" if place.problem else ""
        yield state, *masked, f"{place.source}{trouble}"
    if not shown:
        yield "no", *((NOTHING,) if show_masked else ()), NOTHING


def _problems(sources: Mapping[str, Sequence[KeySource]]) -> list[str]:
    found = (place.problem for places in sources.values() for place in places)
    return list(dict.fromkeys(filter(None, found)))


def _facts(place: KeySource, *, show_masked: bool) -> dict[str, object]:
    return {
        "kind": place.kind,
        "source": place.source,
        "label": place.label,
        "has_key": place.has_key,
        "used": place.used,
        **({"masked": place.masked} if show_masked else {}),
        "problem": place.problem,
    }


# --------------------------------------------------------------------------------------------------------- remove-key


@click.command("remove-key")
@click.argument("provider", required=False, type=PROVIDER)
@click.option("--label", metavar="LABEL", help="Remove the key of this name.")
@click.option("--all", "everything", is_flag=True, help="Remove all keys of PROVIDER, or without one of all providers.")
@click.option("--force", is_flag=True, help="Do not ask.")
def remove_key(*, provider: str | None, label: str | None, everything: bool, force: bool) -> None:
    """Remove the key of PROVIDER from the keyring. Keys elsewhere, as in the environment, stay.

    \b
    Example: homeostasis llm remove-key openai
    """
    if provider is None and not everything:
        raise click.UsageError("Name a provider, or give --all.")
    if label is not None and everything:
        raise click.UsageError("--all and --label exclude each other.")
    from ..api_key_manager import APIKeyManager
    from ..catalog import canonical_name

    manager = APIKeyManager()
    if provider is not None:
        provider = canonical_name(provider)
    unlock(to_store=False)
    doomed = [(provider, label)] if provider is not None and not everything else _stored(manager, provider)
    if everything and doomed and not force:
        _confirm(doomed)
    removed = []
    for name, which in doomed:
        if manager.remove_key(name, which):
            removed.append(name)
            click.echo(f"{_called(name, which)}: removed from the keyring")
    for name in dict.fromkeys(removed or ([provider] if provider else [])):
        _tell_of_others(manager, name)
    if not removed:
        raise click.ClickException(_nothing(provider, label))


def _stored(manager: APIKeyManager, provider: str | None) -> list[tuple[str, str | None]]:
    """The keys in the keyring, by provider and label."""
    problem = None
    found = []
    for name, places in manager.key_sources(provider).items():
        for place in places:
            if place.kind == "keyring" and place.has_key:
                found.append((name, place.label))
            problem = problem or (place.problem if place.kind == "keyring" else None)
    if problem is not None:
        raise click.ClickException(f"Nothing was removed: {problem}")
    return found


def _confirm(doomed: Sequence[tuple[str, str | None]]) -> None:
    names = ", ".join(_called(*one) for one in doomed)
    if not is_terminal(sys.stdin):
        raise click.ClickException(f"Nothing was removed: to remove {names} without being asked, add --force.")
    click.confirm(f"Remove {names} from the keyring?", abort=True, err=True)


def _tell_of_others(manager: APIKeyManager, provider: str) -> None:
    used = manager.find_key(provider)
    if used is not None:
        note(f"{provider} still has a key: {used.source}.")


def _nothing(provider: str | None, label: str | None) -> str:
    from ..registry import ProviderFactory

    if provider is None:
        return "The keyring has no key of ours."
    ProviderFactory.describe(provider)  # a mistyped name is told
    return f"{_called(provider, label)}: the keyring has no such key. `homeostasis llm list-keys` lists what there is."


def _called(provider: str, label: str | None) -> str:
    return provider if label is None else f"{provider} ({label})"
