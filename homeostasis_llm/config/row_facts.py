"""Tell of a row what the catalog tells of its providers."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from ..catalog import ProviderFacts, canonical_name, facts_of, in_variables
from .settings import ProviderSettings


def row_facts(name: str, own: ProviderSettings) -> ProviderFacts:
    """The row as the catalog would have it: what it leaves out is as with the provider whose dialect it speaks."""
    name = canonical_name(name)
    maker = facts_of(own.dialect or "")
    if maker is None:
        raise AssertionError(f"{own.dialect} is a dialect and in no row of the catalog")
    return ProviderFacts(
        name=name,
        title=own.title or name,
        env=own.env or (f"{in_variables(name)}_API_KEY",),
        auth=own.auth or maker.auth,
        litellm_name=maker.litellm_name,
        key_prefixes=() if own.key_prefix is None else (own.key_prefix,),
        key_url=own.key_url,
        base_url=own.base_url,
        models_path=_listing(own, maker),
        models_public=maker.models_public if own.models_public is None else own.models_public,
        default_model=own.default_model,
    )


def _listing(own: ProviderSettings, maker: ProviderFacts) -> str | None:
    """Where it lists its models, as it says or as the maker of its dialect has it."""
    path = own.models_path or maker.models_path
    if path is None or own.models_path or "://" not in path:
        return path
    whole = urlsplit(path)  # which stands beside the maker's base URL, and so beside this one
    return urljoin(own.base_url or "", f"{whole.path}?{whole.query}".rstrip("?"))
