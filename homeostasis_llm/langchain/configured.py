"""What a `ChatHomeostasis` is set to, and whom that makes it ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from threading import Lock
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LangSmithParams
from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import Field, PrivateAttr, SecretStr, ValidationError
from typing_extensions import override

from ..errors import InvalidRequestError, LLMError
from ..manager import LLMManager
from ..provider import LLMProviderInterface
from ..redaction import remember
from ..request import LLMRequest, Timeout
from .calls import ALIASES, SETTINGS, request_for
from .errors import as_langchain_error
from .names import refuse_unknown
from .retries import Retries
from .source import BoundKey, key_at_hand, key_variable, make_managed, make_provider, name_of, own_model, settle

_making = Lock()


class Configured(BaseChatModel):
    """The settings of a chat model, checked when it is made, shown without its key, and kept in pickles and JSON."""

    provider: str | LLMProviderInterface | None = None
    """Who is asked: a name, as for `ProviderFactory.create_provider`, or the provider itself; None for a manager."""
    manager: LLMManager | None = None
    """Who decides whom to ask; None, where no provider is named either, for one that does as the settings say."""
    model: str | None = None
    """As the provider calls it; None for the provider's default. `provider:model` names both."""
    api_key: SecretStr | None = None
    """None has it looked for: in the environment at once, in the keyring and elsewhere at the first call."""
    base_url: str | None = None
    """Where the provider is reached, None for its usual address."""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] | str | None = None
    """Texts at which the answer ends; also `stop_sequences`."""
    seed: int | None = None
    reasoning_effort: str | None = None
    """How hard to think, in the provider's words: none, minimal, low, medium, high, …"""
    timeout: Timeout | float | None = None
    """Seconds for the whole answer, or each wait by itself."""
    max_retries: int | None = Field(default=None, ge=0)
    """How often a call is repeated that failed in a way that may pass; None and 0 for never.

    A stream is repeated only while nothing of it has arrived. A manager has its own retries: without `manager` this is
    their number for one provider, and None leaves it to the settings; with it, it belongs into its `RetryConfig`.
    """
    extra: dict[str, Any] = Field(default_factory=dict)
    """Parameters that only some providers know, by the provider's own names."""
    streaming: bool | None = None
    """Whether `invoke` streams underneath, for callbacks that watch tokens; None leaves that to LangChain."""

    _made: tuple[object, LLMProviderInterface] | None = PrivateAttr(default=None)
    """The provider, beside the settings it was made from: a copy of this model may have others."""

    def __init__(self, **given: Any) -> None:
        """Raises `InvalidRequestError`, naming the argument, for one that is unknown or cannot be."""
        problem: LLMError | None = None
        try:
            super().__init__(**self._settled(given))
            self._bind_key()
            self._check_manager()
            self._check_settings()
        except ValidationError as error:
            problem = InvalidRequestError("; ".join(_sentence(dict(details)) for details in error.errors()))
        except LLMError as error:
            problem = error
        if problem is not None:
            # Raised out here so that the error drags no input along: pydantic's holds the key.
            raise as_langchain_error(problem)

    @classmethod
    def _settled(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        settled = dict(given)
        for alias, name in ALIASES.items():
            if alias in settled:
                if settled.get(name) is not None:
                    raise InvalidRequestError(f"{cls.__name__}: {alias} and {name} are the same; give one of them")
                settled[name] = settled.pop(alias)
        refuse_unknown(
            settled,
            cls.model_fields,
            what=f"{cls.__name__} has no option",
            otherwise="parameters of a request go into extra={…}, options of a provider to the provider itself",
        )
        provider = settled.get("provider")
        model = settled.get("model")
        manager = settled.get("manager")
        if (
            isinstance(provider, str | LLMProviderInterface | None)
            and isinstance(model, str | None)
            and isinstance(manager, LLMManager | None)
        ):
            settled["provider"], settled["model"] = settle(provider, model, manager)
        return settled

    def _bind_key(self) -> None:
        if not isinstance(self.provider, str):
            for name in ("api_key", "base_url"):
                if getattr(self, name) is not None:
                    whose = "one provider; name it, as in provider='openai'"
                    if self.provider is not None:
                        whose = f"the provider; give it to {self.provider!r} instead"
                    raise InvalidRequestError(f"ChatHomeostasis.{name}: belongs to {whose}")
            return
        key = self._own_key()
        self.api_key = key_at_hand(self.provider) if key is None else BoundKey(key.get_secret_value(), self.provider)
        if self.api_key is not None:
            remember(self.api_key.get_secret_value())

    def _check_manager(self) -> None:
        if self.manager is not None and self.max_retries is not None:
            raise InvalidRequestError(
                "ChatHomeostasis.max_retries: is the manager's affair; give LLMManager(retry_config=RetryConfig(…))"
            )

    def _check_settings(self) -> None:
        try:
            self._request(self.provider, [HumanMessage("")], None, {})
        except InvalidRequestError as error:
            problem = str(error).replace("LLMRequest.", "ChatHomeostasis.", 1)
        else:
            return
        raise InvalidRequestError(problem)

    @property
    def model_name(self) -> str | None:
        """`model`, as other chat models call it."""
        return self.model

    @property
    def _llm_type(self) -> str:
        return "homeostasis"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        told = {name: getattr(self, name) for name in (*SETTINGS, "base_url", "max_retries")}
        told["timeout"] = asdict(self.timeout) if isinstance(self.timeout, Timeout) else self.timeout
        told["extra"] = self.extra or None
        known = {name: setting for name, setting in told.items() if setting is not None}
        return {"provider": name_of(self.provider), **known}

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        asked = {name: getattr(self, name) for name in SETTINGS}
        asked.update({name: given for name, given in kwargs.items() if name in asked and given is not None})
        told = LangSmithParams(ls_provider=name_of(self.provider), ls_model_type="chat")
        model = own_model(asked["model"], self.provider)
        if model is None and (made := self._provider_at_hand()) is not None:
            model = made.default_model
        if model:
            told["ls_model_name"] = model
        if asked["temperature"] is not None:
            told["ls_temperature"] = asked["temperature"]
        if asked["max_tokens"] is not None:
            told["ls_max_tokens"] = asked["max_tokens"]
        if stops := asked["stop"] if stop is None else stop:
            told["ls_stop"] = [stops] if isinstance(stops, str) else stops
        return told

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        asked = super()._get_llm_string(stop=stop, **kwargs)
        # LangChain's cache knows an object by its class alone; two of one class may differ.
        objects = [one for one in (self.provider, self.manager) if one is not None and not isinstance(one, str)]
        return "---".join((asked, *map(repr, objects)))

    @classmethod
    @override
    def is_lc_serializable(cls) -> bool:
        """True; a model over a provider or a manager that is an object can be shown but not loaded again."""
        return True

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        """The environment variable that stands for the key in what is stored."""
        return {"api_key": key_variable(self.provider)} if isinstance(self.provider, str) else {}

    @property
    @override
    def lc_attributes(self) -> dict[str, Any]:
        """Values in a form that JSON has, and the constructor takes."""
        return {"timeout": asdict(self.timeout)} if isinstance(self.timeout, Timeout) else {}

    def __getstate__(self) -> dict[Any, Any]:
        """Everything but the key: a pickle ends up in caches and queues. Unpickled, it is looked up when needed."""
        state = super().__getstate__()
        private = {**(state["__pydantic_private__"] or {}), "_made": None}
        return {**state, "__dict__": {**state["__dict__"], "api_key": None}, "__pydantic_private__": private}

    # --- who is asked, and what

    def _asked(self) -> LLMProviderInterface:
        """The provider. One that has a name only is made at the first call, and again when its settings changed."""
        if (at_hand := self._provider_at_hand()) is not None:
            return at_hand
        with _making:
            if (at_hand := self._provider_at_hand()) is not None:
                return at_hand
            if self.provider is None:
                made = make_managed(self.manager, self.max_retries)
            else:
                made = make_provider(str(self.provider), self._own_key(), self.base_url)
            self._made = (self._made_from(), made)
            return made

    async def _aasked(self) -> LLMProviderInterface:
        at_hand = self._provider_at_hand()
        # Making one may import a plugin and ask the keyring, which the event loop should not wait for.
        return await asyncio.to_thread(self._asked) if at_hand is None else at_hand

    def _provider_at_hand(self) -> LLMProviderInterface | None:
        if isinstance(self.provider, LLMProviderInterface):
            return self.provider
        if self._made is not None and self._made[0] == self._made_from():
            return self._made[1]
        return None

    def _made_from(self) -> object:
        return (self.provider, self._own_key(), self.base_url, self.manager, self.max_retries)

    def _own_key(self) -> SecretStr | None:
        # `model_copy(update={"provider": …})` runs no constructor.
        foreign = isinstance(self.api_key, BoundKey) and self.api_key.provider != self.provider
        return None if foreign else self.api_key

    def _request(
        self,
        provider: str | LLMProviderInterface | None,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        given: Mapping[str, Any],
    ) -> LLMRequest:
        settings = {name: getattr(self, name) for name in (*SETTINGS, "extra")}
        asked = None if self.provider is None else provider
        return request_for(messages, stop, given, settings=settings, provider=asked)

    def _retries(self, given: Mapping[str, Any]) -> Retries:
        most = given.get("max_retries")
        if self.provider is not None:
            return Retries((self.max_retries if most is None else most) or 0)
        if most is not None:
            raise as_langchain_error(
                InvalidRequestError("max_retries is said once for all calls: a manager counts the retries of them all")
            )
        return Retries(0)


def _sentence(details: Mapping[str, Any]) -> str:
    problem = str(details["msg"]).removeprefix("Value error, ")
    return f"ChatHomeostasis.{details['loc'][0]}: {problem[:1].lower()}{problem[1:]}"
