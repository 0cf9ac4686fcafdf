"""Compare the requests that both lanes make, for each of litellm's providers and each kind of request."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from pydantic import ValidationError

from homeostasis_llm import LLMError, LLMProviderInterface, LLMRequest
from homeostasis_llm.catalog import all_facts
from homeostasis_llm.config import ProviderSettings
from homeostasis_llm.config.row_facts import row_facts
from homeostasis_llm.litellm_bridge.pricing import list_price
from homeostasis_llm.litellm_bridge.provider import LiteLLMProvider
from homeostasis_llm.litellm_bridge.runtime import load_litellm
from homeostasis_llm.rows import Row

from ..loopback import Loopback
from ..sent_by_litellm import ACCOUNTS, Proxy
from .both import KEY, LANES, Outcome, aasked, asked, on, request_differences, that_matter
from .cases import MODELS, TELLING, Fields, cases, request_of
from .spoken import spoken_by

_SOME_MODEL = "some-model"

Way = tuple[bool, bool]
"""Whether as a stream, and whether from an event loop."""

_MODEL_OF = {"bedrock": "us.amazon.nova-pro-v1:0"}
"""Instead of some model: what litellm does not know there, it asks over another API."""

_ASK_NOTHING = {"bedrock, without a key"}
"""Where both lanes have nothing to send; anywhere else it would compare nothing."""

Planned = tuple[str, str, Fields, Way]
"""A model, and what it is asked."""


class Priced(LiteLLMProvider):
    """A provider whose prices hold at any address."""

    def _cost(self, model: str, usage: Any) -> float | None:
        return list_price(model, self._litellm_name, usage)


def provider_of(name: str, base_url: str, **options: Any) -> LiteLLMProvider:
    """The provider at another address."""
    return Priced(name, **{"api_key": KEY, "base_url": base_url, "api_version": "2024-10-21", **options})


def claimed(loopback: Loopback) -> dict[str, list[str]]:
    """The catalog's providers whose plain request takes the direct lane where that is asked for, by litellm's names."""
    found: dict[str, list[str]] = {}
    for facts in all_facts().values():
        loopback.always(json=spoken_by(facts.litellm_name).answer)
        provider = provider_of(facts.name, loopback.url)
        with on("direct"):
            outcome = asked(provider, _plain(facts.default_model or _SOME_MODEL), loopback, stream=False)
        provider.close()
        if outcome.sent and outcome.sent[0].lane == "direct":
            found.setdefault(facts.litellm_name, []).append(facts.name)
    return found


def differences(name: str, loopback: Loopback) -> Iterator[str]:
    """Where the direct lane's requests to one of the catalog's providers are others than the full lane's."""
    loopback.always(json=spoken_by(all_facts()[name].litellm_name).answer)
    yield from compared(name, provider_of(name, loopback.url), _planned(name), loopback)
    for about, options, environment in (*_SETTINGS, *_OWN_SETTINGS.get(name, ())):
        with environment_of(environment), one_moment() if "AWS_ACCESS_KEY_ID" in environment else nullcontext():
            provider = provider_of(name, loopback.url, **options)
            yield from compared(f"{name}, {about}", provider, _few(name), loopback)


def row_differences(litellm_name: str, loopback: Loopback) -> Iterator[str]:
    """The same of a user's row that speaks the provider's dialect, where rows can."""
    loopback.always(json=spoken_by(litellm_name).answer)
    for auth in ("bearer", "header:x-own-key", "query:own_key"):
        described = {"dialect": litellm_name, "base_url": f"{loopback.url}/v1", "default_model": "my-1", "auth": auth}
        try:
            own = ProviderSettings.model_validate(described)
        except ValidationError:
            return  # it is none of the dialects
        provider = Row(row_facts("mine", own), own)(KEY)
        yield from compared(f"a row of {litellm_name}, {auth}", provider, _few(litellm_name), loopback)


def address_differences(name: str, proxy: Proxy) -> Iterator[str]:
    """The same of a request to the provider's own address, which a proxy sees."""
    seen = []
    load_litellm()
    account = {**ACCOUNTS.get(name, {}), "HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}
    for lane in LANES:
        before = len(proxy.requests)
        with environment_of(account), any_certificate(), on(lane):
            provider = LiteLLMProvider(name, KEY, timeout=30)
            with contextlib.suppress(LLMError):  # the proxy refuses all
                provider.complete(_plain(provider.default_model or _SOME_MODEL))
            provider.close()
        seen.append(
            [
                (sent["url"], that_matter(sent["headers"]), json.dumps(sent["body"], sort_keys=True))
                for sent in proxy.requests[before:]
            ]
        )
    if not seen[0]:
        yield f"{name}: nothing was sent to its own address"
    if seen[0] != seen[1]:
        yield f"{name}, at its own address: full {seen[0]!r:.900}, direct {seen[1]!r:.900}"


@contextmanager
def environment_of(variables: Mapping[str, str]) -> Iterator[None]:
    """These variables are set."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name)
        os.environ.update({name: before[name] for name in variables if name in before})


@contextmanager
def one_moment() -> Iterator[None]:
    """For AWS's signatures it is one moment: so those of both lanes can be compared whole."""
    from botocore import auth

    clock, moment = auth.get_current_datetime, dt.datetime(2026, 1, 1, tzinfo=dt.UTC).replace(tzinfo=None)
    auth.get_current_datetime = lambda **_: moment
    try:
        yield
    finally:
        auth.get_current_datetime = clock


@contextmanager
def any_certificate() -> Iterator[None]:
    """New clients take any, for only a proxy of the test's own is asked."""
    from homeostasis_llm.litellm_bridge import clients  # it imports litellm, which load_litellm is to do first

    ours = clients._tls
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    clients._tls = lambda: context  # type: ignore[assignment]  # it stands in for a cached function
    try:
        yield
    finally:
        clients._tls = ours


_SETTINGS: tuple[tuple[str, Mapping[str, Any], Mapping[str, str]], ...] = (
    # It keeps AWS's SDK from asking the machine that it might run on.
    ("without a key", {"api_key": None}, {"AWS_EC2_METADATA_DISABLED": "true"}),
    ("headers", {"headers": {"X-Team": "a", "HTTP-Referer": "https://mine.example"}}, {}),
    (
        "environment",
        {},
        {
            "OPENAI_ORG_ID": "org-1",
            "OPENAI_ORGANIZATION": "org-2",
            "OPENAI_PROJECT_ID": "project-1",
            "OR_SITE_URL": "https://mine.example",
            "OR_APP_NAME": "mine",
        },
    ),
)
"""What is the same in all of a provider's requests: arguments of the provider, variables of the environment."""

_ACCOUNT = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-a-real-secret", "AWS_REGION": "eu-west-1"}

_OWN_SETTINGS: Mapping[str, tuple[tuple[str, Mapping[str, Any], Mapping[str, str]], ...]] = {
    "azure": (
        ("an early version", {"api_version": "2023-05-15"}, {}),
        ("a version of the environment", {"api_version": None}, {"AZURE_API_VERSION": "2024-02-01"}),
        ("no version", {"api_version": None}, {}),
        ("a token", {}, {"AZURE_OPENAI_AD_TOKEN": "a-token", "AZURE_AD_TOKEN": "another"}),
    ),
    "bedrock": (
        ("signed", {"api_key": None}, _ACCOUNT),
        ("signed for a session", {"api_key": None}, {**_ACCOUNT, "AWS_SESSION_TOKEN": "a-token"}),
        ("signed for litellm's region", {"api_key": None}, {**_ACCOUNT, "AWS_REGION_NAME": "us-gov-west-1"}),
        ("signed with headers", {"api_key": None, "headers": {"x-amzn-team": "a", "X-Team": "b"}}, _ACCOUNT),
        ("signed by another", {"api_key": None, "headers": {"Authorization": "Bearer a-token"}}, _ACCOUNT),
        ("a key and an account", {}, _ACCOUNT),
        ("a key of the environment", {"api_key": None}, {"AWS_BEARER_TOKEN_BEDROCK": "a-key-of-the-environment"}),
        ("betas", {"headers": {"anthropic-beta": "context-1m-2025-08-07,weather-2025-01-01"}}, {}),
    ),
    "anthropic": (
        ("betas", {"headers": {"anthropic-beta": "context-1m-2025-08-07,weather-2025-01-01"}}, {}),
        ("another version", {"headers": {"anthropic-version": "2023-01-01"}}, {}),
        ("a session's token", {"api_key": "sk-ant-oat01-not-a-real-one"}, {}),
        ("a token of the environment", {"api_key": None}, {"ANTHROPIC_AUTH_TOKEN": "a-token"}),
        ("the address as it is", {}, {"LITELLM_ANTHROPIC_DISABLE_URL_SUFFIX": "true"}),
    ),
}
"""The same for one of them alone."""


def _planned(name: str) -> list[Planned]:
    facts = all_facts()[name]
    models = dict.fromkeys((facts.default_model or _SOME_MODEL, *MODELS.get(name, (_SOME_MODEL,))))
    return [
        (model, about, fields, way)
        for number, model in enumerate(models)
        for place, (about, fields) in enumerate(cases(name).items())
        if number == 0 or about in TELLING
        for way in _ways(number, place, about)
    ]


def _few(name: str) -> list[Planned]:
    known = cases(name)
    model = _MODEL_OF.get(name, _SOME_MODEL)
    ways = ((False, False), (True, True))
    # Not everybody can be asked for everything at once.
    return [(model, about, known[about], way) for about in ("plain", "tools", "everything") for way in ways]


def compared(
    name: str, provider: LLMProviderInterface, planned: Sequence[Planned], loopback: Loopback
) -> Iterator[str]:
    """Where the requests of what is planned differ; one that asks nothing at all compares nothing."""
    full, direct = (asyncio.run(_record(lane, provider, planned, loopback)) for lane in LANES)
    provider.close()
    if name not in _ASK_NOTHING and not any(outcome.sent for outcome in full):
        yield f"{name}: nothing was sent"
    for (model, about, _, (stream, waits)), one, other in zip(planned, full, direct, strict=True):
        kind = f"{name}, {model}, {about}{', stream' if stream else ''}{', async' if waits else ''}"
        yield from (f"{kind}: {difference}" for difference in request_differences(one, other))


def _ways(model: int, case: int, about: str) -> list[Way]:
    """By turns; both for the first model's telling cases."""
    turn = model + case
    way = (bool(turn % 2), bool(turn // 2 % 2))
    return [way, (not way[0], way[1])] if model == 0 and about in TELLING else [way]


async def _record(
    lane: str, provider: LLMProviderInterface, planned: Sequence[Planned], loopback: Loopback
) -> list[Outcome]:
    outcomes = []
    with on(lane):
        for model, _, fields, (stream, waits) in planned:
            request = request_of(fields, model)
            if waits:
                outcomes.append(await aasked(provider, request, loopback, stream=stream))
            else:
                outcomes.append(asked(provider, request, loopback, stream=stream))
    return outcomes


def _plain(model: str) -> LLMRequest:
    return request_of(cases("")["plain"], model)
