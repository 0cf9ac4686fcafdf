"""Speak to a provider as a LangChain chat model. The only room that imports langchain-core."""

from .model import ChatHomeostasis

__all__ = ["ChatHomeostasis"]
