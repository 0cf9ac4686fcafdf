"""What arguments of commands may be: how they are read, and what a shell completes them to."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem
from click.types import BoolParamType, StringParamType


class ProviderName(StringParamType):
    """The name of a provider, ours or a plugin's. It is looked up by the command, which says what is wrong with it."""

    name = "provider"

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # the signature is click's
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """The names that begin so, in any case and with `-` for `_`. Those of litellm only if no other does."""
        from ..catalog import plain_name
        from ..registry import ProviderFactory

        beginning = plain_name(incomplete)
        begun = [entry for entry in ProviderFactory.entries() if plain_name(entry.name).startswith(beginning)]
        usual = [entry for entry in begun if entry.source != "litellm"]
        return [CompletionItem(entry.name) for entry in usual or begun]


class ProviderOrAuto(ProviderName):
    """A provider's name, or `auto`."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        """Also `auto`."""
        auto = [CompletionItem("auto")] if "auto".startswith(incomplete.lower()) else []
        return auto + super().shell_complete(ctx, param, incomplete)


_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class Switch(BoolParamType):
    """On or off, in the words that people have for it; unlike click's own, for which no word at all means no."""

    name = "switch"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bool:
        """What the word means."""
        if isinstance(value, bool):
            return value
        meant = _WORDS.get(str(value).lower())
        if meant is None:
            self.fail(f"{value!r} is neither true (1, yes, on) nor false (0, no, off).", param, ctx)
        return meant

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002  # the signature is click's
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem[str]]:
        """`true` and `false`."""
        return [CompletionItem(word) for word in ("true", "false") if word.startswith(incomplete.lower())]


PROVIDER = ProviderName()
PROVIDER_OR_AUTO = ProviderOrAuto()
SWITCH = Switch()
