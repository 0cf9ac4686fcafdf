"""A provider as the extension guide has it since before this package: `requests`, sleeps, streams of `str`.

It is what users have written already. Nothing in it is to be mended: it has to work as it stands.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from homeostasis_llm import LLMError, LLMProviderInterface, LLMRequest, LLMResponse


@dataclass
class MyLLMRequest(LLMRequest):
    """A request with fields that only this provider has."""

    top_k: int | None = None
    safe_mode: bool = True


class MyLLMProvider(LLMProviderInterface):
    """Speaks a made-up dialect."""

    MAX_CONTEXT = 2000
    """Characters that it takes."""

    def __init__(self, api_key: str, base_url: str = "https://api.myllm.example/v1"):
        self.api_key = api_key
        self.base_url = base_url
        self.session = requests.Session()
        self.session.headers.update({"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"})
        self.last_request_time = 0.0
        self.min_request_interval = 0.01

    @property
    def name(self) -> str:
        return "myllm"

    @property
    def default_model(self) -> str:
        return "myllm-base"

    def _map_model_name(self, model: str | None) -> str:
        return {"gpt-4": "myllm-large", "gpt-3.5-turbo": "myllm-base"}.get(model or "", model or self.default_model)

    def _wait_for_rate_limit(self) -> None:
        elapsed = time.time() - self.last_request_time
        if elapsed < self.min_request_interval:
            time.sleep(self.min_request_interval - elapsed)
        self.last_request_time = time.time()

    def _payload(self, request: LLMRequest) -> dict[str, Any]:
        messages = [{"role": msg.role, "content": msg.content} for msg in request.messages]
        if request.system_prompt:
            messages.insert(0, {"role": "system", "content": request.system_prompt})
        if sum(len(str(message["content"])) for message in messages) > self.MAX_CONTEXT:
            raise LLMError("Request exceeds the context length")
        payload: dict[str, Any] = {
            "model": self._map_model_name(request.model),
            "messages": messages,
            "max_tokens": request.max_tokens or 1000,
            "temperature": request.temperature if request.temperature is not None else 0.7,
        }
        if isinstance(request, MyLLMRequest):
            payload |= {"top_k": request.top_k, "safe_mode": request.safe_mode}
        return payload

    def complete(self, request: LLMRequest) -> LLMResponse:
        self._wait_for_rate_limit()
        payload = self._payload(request)
        try:
            response = self.session.post(f"{self.base_url}/chat/completions", json=payload, timeout=30)
            response.raise_for_status()
            data = response.json()
            return LLMResponse(
                content=data["choices"][0]["message"]["content"],
                provider=self.name,
                model=data.get("model"),
                usage=data.get("usage"),
                metadata={"finish_reason": data["choices"][0].get("finish_reason"), "response_id": data.get("id")},
            )
        except requests.exceptions.RequestException as e:
            raise LLMError(f"MyLLM API request failed: {e}") from e
        except (KeyError, IndexError) as e:
            raise LLMError(f"Unexpected answer of MyLLM: {e}") from e

    def complete_stream(self, request: LLMRequest) -> Iterator[str]:
        payload = {**self._payload(request), "stream": True}
        try:
            with self.session.post(
                f"{self.base_url}/chat/completions", json=payload, timeout=30, stream=True
            ) as response:
                response.raise_for_status()
                for line in response.iter_lines():
                    if line.startswith(b"data: ") and line != b"data: [DONE]":
                        yield json.loads(line[6:])["choices"][0]["delta"].get("content", "")
        except requests.exceptions.RequestException as e:
            raise LLMError(f"MyLLM stream failed: {e}") from e

    def validate_key(self, api_key: str) -> bool:
        try:
            response = requests.get(
                f"{self.base_url}/models", headers={"Authorization": f"Bearer {api_key}"}, timeout=10
            )
        except requests.exceptions.RequestException as e:
            raise LLMError(f"MyLLM could not be asked: {e}") from e
        return bool(response.status_code == 200)

    def get_available_models(self) -> list[str]:
        response = self.session.get(f"{self.base_url}/models", timeout=10)
        response.raise_for_status()
        return [model["id"] for model in response.json()["data"]]
