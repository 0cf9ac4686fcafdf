"""What all who have to do with the keyring know of it, without loading what asks it."""

from __future__ import annotations

SERVICE = "homeostasis-llm"
"""The service under which the keyring has our keys; the user name is the provider's name."""

READ_SECONDS = 5.0
"""How long the keyring may take to answer: it may be waiting for somebody to unlock it."""
