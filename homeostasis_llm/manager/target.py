"""Name what is asked: a provider's model, with one of its keys. Health is kept for each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """Whom an attempt asks. Holds no key, only the label of one."""

    provider: str
    model: str = ""
    """Empty for the provider's default."""
    key: str = ""
    """The label of the key; empty for the one without a label."""

    def __str__(self) -> str:
        model = f":{self.model}" if self.model else ""
        return f"{self.provider}{model}{f'#{self.key}' if self.key else ''}"
