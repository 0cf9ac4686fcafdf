"""YandexGPT and the other models of Yandex Cloud, as the provider `yandexgpt`."""

from __future__ import annotations

from .provider import YandexGPTProvider

__all__ = ["YandexGPTProvider"]
