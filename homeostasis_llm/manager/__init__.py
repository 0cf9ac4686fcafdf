"""Keep answering while providers fail: who is asked, in which order, how often, and at what price."""

from .breaker import BreakerConfig
from .manager import LLMManager
from .retries import RetryConfig

__all__ = ["BreakerConfig", "LLMManager", "RetryConfig"]
