"""Write docs/providers.md: `python -m tests.catalog.page`.

The first half is the catalog's. The second is litellm's own, and so another with each version of litellm.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from homeostasis_llm.catalog import ProviderFacts, all_facts
from homeostasis_llm.litellm_bridge.lanes import proven

from .price_list import listed
from .told import ROOT, ask_litellm

PAGE = ROOT / "docs" / "providers.md"

_OURS = """\
# Providers

These {number} are known without a plugin. Any of their names will do, in any case, with `-` or with `_`. There are
more: those of plugins, those that you [write yourself](extending.md), and what else litellm knows, which
`homeostasis llm providers --all` lists.

- A key is looked for in `HOMEOSTASIS_<NAME>_API_KEY`, then in the variables of the table from left to right, then
  [elsewhere](keys.md). Servers on one's own machine need none, unless they were started with one.
- The model is the one that is asked where you name none; where there is none, you have to.
  `homeostasis llm models NAME` lists those that your key may use.
- The lane is the way through litellm: `full` or, where it is proven to send and to read the same, `direct`, which is
  faster: see [lanes.md](lanes.md).

`python -m tests.catalog.page` writes this page from `homeostasis_llm/catalog.toml`, which has the source of each fact.

| name | provider | model | key | variables | lane |
|---|---|---|---|---|---|
"""

_LITELLMS = """
## What their models can do

This is what litellm knows: version {version} of it, when this page was written. It is no promise of the providers.

A number says how many of the models that litellm lists can call tools, can look at images, and can be held to a JSON
schema; the same model in another region is one more. What litellm was not told counts as a no, so that a 0 may be too
low. Where litellm lists no models, `sent` says that it sends tools or a schema on to the default model, and `refused`
that it does not; of images it then knows nothing.

| name | models listed | tools | vision | JSON |
|---|--:|--:|--:|--:|
"""

_NO_KEYS = {"aws": "AWS's credentials", "google": "Google Cloud's credentials"}


def ours() -> str:
    """The half that the catalog tells."""
    rows = sorted(all_facts().values(), key=lambda facts: facts.name)
    return _OURS.format(number=len(rows)) + _lines(
        (
            ", ".join(f"`{name}`" for name in (facts.name, *facts.aliases)),
            facts.title,
            f"`{facts.default_model}`" if facts.default_model else "",
            _key(facts),
            ", ".join(f"`{variable}`" for variable in facts.env),
            _lane(facts),
        )
        for facts in rows
    )


def litellms(told: Any) -> str:
    """The half that litellm tells; `told` is of `ask_litellm`."""
    rows = sorted(all_facts().values(), key=lambda facts: facts.name)
    return _LITELLMS.format(version=version("litellm")) + _lines(
        (f"`{facts.name}`", *_abilities(facts, told["rows"][facts.name]["params"])) for facts in rows
    )


def written_with(page: str) -> str:
    """litellm's version that a page names."""
    return page.partition("version ")[2].partition(" of it")[0]


def _lines(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _key(facts: ProviderFacts) -> str:
    if facts.key_url is None or facts.auth in _NO_KEYS:
        return _NO_KEYS.get(facts.auth, "not needed")
    return f"[{'not needed' if facts.local else 'get one'}]({facts.key_url})"


def _lane(facts: ProviderFacts) -> str:
    return "direct" if facts.litellm_name in proven() else "full"


def _abilities(facts: ProviderFacts, taken: list[str] | None) -> tuple[str, ...]:
    models = listed(facts)
    if models:
        abilities = ("supports_function_calling", "supports_vision", "supports_response_schema")
        return (str(len(models)), *(str(sum(bool(model.get(ability)) for model in models)) for ability in abilities))
    # litellm does not always say which parameters it takes; then it takes all.
    tools, form = ("sent" if taken is None or one in taken else "refused" for one in ("tools", "response_format"))
    return "none", tools, "", form


if __name__ == "__main__":
    PAGE.write_text(ours() + litellms(ask_litellm()), encoding="utf-8")
