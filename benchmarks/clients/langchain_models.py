"""The chat models of LangChain's own packages."""

from __future__ import annotations

from langchain_core.language_models import BaseChatModel

from .base import KEY, MODEL
from .langchain_base import ChatModel


class LiteLLMModel(ChatModel):
    """langchain-litellm's `ChatLiteLLM`."""

    def _made(self, url: str, providers: int) -> BaseChatModel:  # noqa: ARG002  # it asks one
        from langchain_litellm import ChatLiteLLM

        model: BaseChatModel = ChatLiteLLM(model=f"openai/{MODEL}", api_base=url, api_key=KEY, max_retries=0)
        return model


class OpenAIModel(ChatModel):
    """langchain-openai's `ChatOpenAI`."""

    def _made(self, url: str, providers: int) -> BaseChatModel:  # noqa: ARG002  # it asks one
        from langchain_openai import ChatOpenAI

        model: BaseChatModel = ChatOpenAI(model=MODEL, base_url=url, api_key=KEY, max_retries=0)
        return model
