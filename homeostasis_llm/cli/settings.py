"""The commands that say who is asked: the active provider, those that follow it, and what matters in choosing."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from .arguments import PROVIDER, PROVIDER_OR_AUTO, SWITCH
from .passphrase import with_passphrase
from .screen import show_table
from .terminal import note

if TYPE_CHECKING:
    from ..config import Settings
    from ..usable import Survey

_LEVEL = click.Choice(["low", "balanced", "high"])
_as_json = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.command("set-active-provider")
@click.argument("provider", type=PROVIDER_OR_AUTO)
def set_active_provider(*, provider: str) -> None:
    """Have PROVIDER asked first; auto for whoever has a key.

    \b
    Example: homeostasis llm set-active-provider anthropic
    """
    from ..config import set_active_provider as change
    from ..errors import UnknownProviderError
    from ..registry import ProviderFactory

    try:
        active = change(provider, known=ProviderFactory.describe).active_provider
    except UnknownProviderError as error:
        hint = "; `auto` stands for whoever has a key" if get_close_matches(provider.lower(), ["auto"]) else ""
        raise click.ClickException(f"{error}{hint}") from error
    click.echo("Whoever has a key is asked first." if active is None else f"{active} is asked first.")
    if active is not None:
        _tell_if_without_key([active])


@click.command("get-active-provider")
@_as_json
def get_active_provider(*, as_json: bool) -> None:
    """Print who is asked first, or auto."""
    active = _settings().active_provider or "auto"
    click.echo(json.dumps({"active_provider": active}) if as_json else active)


@click.command("set-fallback-order")
@click.argument("providers", nargs=-1, required=True, type=PROVIDER, metavar="PROVIDER...")
def set_fallback_order(*, providers: tuple[str, ...]) -> None:
    """Have these providers asked, in this order, when the first fails.

    \b
    Example: homeostasis llm set-fallback-order anthropic openai
    """
    from ..config import set_fallback_order as change
    from ..registry import ProviderFactory

    # As people write lists; no provider's name has a comma.
    names = [name for given in providers for name in given.rstrip(",").split(",")]
    settings = change(names, known=ProviderFactory.describe)
    click.echo(f"Asked in this order: {', '.join(settings.fallback_order)}.")
    _tell_if_without_key(settings.fallback_order)
    _tell_if_switched_off(settings)


@click.command("get-fallback-order")
@_as_json
def get_fallback_order(*, as_json: bool) -> None:
    """Print who is asked when the first fails, one a line."""
    settings = _settings()
    if as_json:
        click.echo(json.dumps({"fallback_order": settings.fallback_order, "enable_fallback": settings.enable_fallback}))
        return
    for name in settings.fallback_order:
        click.echo(name)
    _tell_if_switched_off(settings)


@click.command("set-fallback-enabled")
@click.argument("enabled", type=SWITCH, metavar="true|false")
def set_fallback_enabled(*, enabled: bool) -> None:
    """Say whether others are asked when a provider fails."""
    from ..config import set_enable_fallback

    set_enable_fallback(enabled)
    click.echo(
        "When a provider fails, others are asked." if enabled else "When a provider fails, nobody else is asked."
    )


@click.command("set-openrouter-unified")
@click.argument("enabled", type=SWITCH, metavar="true|false")
@click.option("--proxy-anthropic/--no-proxy-anthropic", default=None, help="Have it stand in for Anthropic, or not.")
@click.option("--proxy-openai/--no-proxy-openai", default=None, help="Have it stand in for OpenAI, or not.")
def set_openrouter_unified(*, enabled: bool, proxy_anthropic: bool | None, proxy_openai: bool | None) -> None:
    """Say whether OpenRouter stands in for other providers. What is not said stays as it is set.

    \b
    Example: homeostasis llm set-openrouter-unified true --no-proxy-openai
    """
    from ..config import set_openrouter_unified as change

    unified = change(enabled, proxy_to_anthropic=proxy_anthropic, proxy_to_openai=proxy_openai).openrouter_unified
    names = ", ".join(unified.providers) or "nobody"
    click.echo(f"OpenRouter stands in for {names}." if unified.enabled else "OpenRouter stands in for nobody.")
    if unified.enabled:
        _tell_if_without_key(["openrouter"])


@click.command("set-provider-policies")
@click.option("--cost", type=_LEVEL, help="How much a low price matters.")
@click.option("--latency", type=_LEVEL, help="How much a quick answer matters.")
@click.option("--reliability", type=_LEVEL, help="How much it matters that an answer comes.")
def set_provider_policies(*, cost: str | None, latency: str | None, reliability: str | None) -> None:
    """Say what matters in choosing a provider. What is not said stays as it is set.

    \b
    Example: homeostasis llm set-provider-policies --cost high --latency low
    """
    if cost is latency is reliability is None:
        raise click.UsageError("Give --cost, --latency or --reliability.")
    from ..config import set_provider_policies as change

    policies = change(cost=cost, latency=latency, reliability=reliability).provider_policies
    click.echo(f"Cost {policies.cost}, latency {policies.latency}, reliability {policies.reliability}.")


@click.command("get-provider-policies")
@_as_json
def get_provider_policies(*, as_json: bool) -> None:
    """Print what matters in choosing a provider."""
    policies = _settings().provider_policies.model_dump()
    if as_json:
        click.echo(json.dumps(policies))
        return
    for name, level in policies.items():
        click.echo(f"{name:<11}  {level}")


@click.command("provider-status")
@click.option("-v", "--verbose", is_flag=True, help="Also list the providers, each with its model and address.")
@_as_json
def provider_status(*, verbose: bool, as_json: bool) -> None:
    """Print who is asked, in which order, and who has a key. Nobody is asked for it."""
    from ..usable import set_up

    settings = _settings()
    survey = with_passphrase(set_up, lambda found: bool(found.problems))
    usable = {one.name: one for one in survey.providers}
    if as_json:
        click.echo(json.dumps(_status(settings, survey), ensure_ascii=False))
    else:
        policies, unified = settings.provider_policies, settings.openrouter_unified
        lines = {
            "asked first": settings.active_provider or "auto: whoever has a key",
            "then": ", ".join(settings.fallback_order) if settings.enable_fallback else "nobody: fallback is off",
            "policies": f"cost {policies.cost}, latency {policies.latency}, reliability {policies.reliability}",
            "OpenRouter": f"stands in for {', '.join(unified.providers)}"
            if unified.enabled
            else "stands in for nobody",
            "can be used": ", ".join(usable) or "nobody: no key was found",
        }
        for name, text in lines.items():
            click.echo(f"{name:<11}  {text}")
        if verbose:
            rows = [
                (name, _model(settings, name), settings.provider(name).base_url or "-", one.why)
                for name, one in usable.items()
            ]
            click.echo()
            show_table(("PROVIDER", "MODEL", "BASE URL", "WHY"), rows)
    for problem in survey.problems:
        note(f"Not everywhere could be looked for keys: {problem}.")


@click.command("auto-configure")
def auto_configure() -> None:
    """Have the providers that have a key asked in the order of the catalog, and store that as the fallback order.

    The order has those who make models before those who run the models of others. Providers that need to be told more
    than a key are left out.
    """
    from ..config import set_fallback_order as change
    from ..registry import ProviderFactory
    from ..usable import with_keys

    survey = with_passphrase(with_keys, lambda found: bool(found.problems))
    for problem in survey.problems:
        note(f"Not everywhere could be looked for keys: {problem}.")
    for left_out in (one for one in survey.providers if one.lacks):
        note(f"{left_out.name} is left out: set its {' and '.join(left_out.lacks)} with `homeostasis llm config edit`.")
    ready = [one for one in survey.providers if not one.lacks]
    if not ready:
        raise click.ClickException(
            "No key was found, and nothing changed. `homeostasis llm set-key PROVIDER` stores one."
        )
    settings = change((one.name for one in ready), known=ProviderFactory.describe)
    click.echo("Asked in this order when a provider fails:")
    for number, one in enumerate(ready, 1):
        click.echo(f"{number}. {one.name}: {one.why}")
    _tell_if_switched_off(settings)


def _settings() -> Settings:
    from ..config import load_settings

    return load_settings()


def _status(settings: Settings, survey: Survey) -> dict[str, Any]:
    with_key = [one.name for one in survey.providers if one.found is not None]
    return {
        "active_provider": settings.active_provider or "auto",
        "fallback_enabled": settings.enable_fallback,
        "fallback_order": settings.fallback_order,
        "available_providers": with_key,
        "without_key": [one.name for one in survey.providers if one.found is None],
        "openrouter_unified": settings.openrouter_unified.enabled,
        "openrouter_unified_providers": settings.openrouter_unified.providers,
        "provider_policies": settings.provider_policies.model_dump(),
        "total_configured_providers": len(with_key),
    }


def _model(settings: Settings, name: str) -> str:
    from ..registry import ProviderFactory

    return (
        settings.provider(name).default_model or ProviderFactory.describe(name, load_plugin=True).default_model or "-"
    )


def _tell_if_without_key(names: Any) -> None:
    from ..keys.lookup import key_status
    from ..registry import ProviderFactory

    for name, status in key_status(names).items():
        if status.found is None and ProviderFactory.describe(name, load_plugin=True).needs_key is not False:
            trouble = f" ({status.problem})" if status.problem else ""
            note(f"{name} has no key yet{trouble}: `homeostasis llm set-key {name}` stores one.")


def _tell_if_switched_off(settings: Settings) -> None:
    if not settings.enable_fallback:
        note("But fallback is off: `homeostasis llm set-fallback-enabled true` switches it on.")
