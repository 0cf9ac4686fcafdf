"""A provider as an author writes one, whose key is `good`, or else what it does is said by the key."""

from __future__ import annotations

import time
from pathlib import Path

from homeostasis_llm import (
    AuthenticationError,
    LLMConnectionError,
    LLMProviderInterface,
    LLMRequest,
    LLMResponse,
    QuotaExceededError,
)


class Picky(LLMProviderInterface):
    """Answers and takes keys that begin with `good`, and `when:` a file is there."""

    name = "picky"
    default_model = "picky-1"
    base_url: str | None = None

    def complete(self, request: LLMRequest) -> LLMResponse:
        if not self.validate_key(self.api_key):
            raise AuthenticationError(f"picky does not know {self.api_key}", provider=self.name)
        return LLMResponse(content="", provider=self.name, model=request.model or self.default_model)

    def validate_key(self, api_key: str) -> bool:
        if api_key.startswith("poor"):
            raise QuotaExceededError(f"the account of {api_key} is empty", provider=self.name, status_code=402)
        if api_key.startswith("away"):
            raise LLMConnectionError("picky is not there", provider=self.name)
        if api_key.startswith("bug"):
            raise RuntimeError(f"nobody expected {api_key}")
        if api_key.startswith("when:"):
            while not Path(api_key.removeprefix("when:")).exists():
                time.sleep(0.01)
            return True
        return api_key.startswith("good")

    def get_available_models(self) -> list[str]:
        return [self.default_model]
