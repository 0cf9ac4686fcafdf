"""Read a key from a secret store that the settings refer to. Nothing is ever written there, and nobody asked unasked.

Each store's own library is imported when it is asked, and asked in a thread, for a limited time: libraries of clouds
wait, retry and look for credentials in many places.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from logging import Filter, LogRecord, getLogger
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ...redaction import redact
from ..bounded import within
from ..errors import SourceTroubleError
from ..installed import is_installed

if TYPE_CHECKING:
    from ...config import SecretReference

SECONDS = 10.0
"""How long a store may take, credentials, connection and all."""

_LONGEST_COMPLAINT = 300
"""Characters of what a library says went wrong."""


@dataclass(frozen=True, slots=True)
class Store:
    """A kind of secret store."""

    title: str
    """For people."""
    kind: str
    """In one word, as in `AWSSecretsManager`."""
    extra: str
    """What brings its library, as in `homeostasis-llm[aws]`."""
    needs: str
    """The module of that library."""
    module: str
    """Ours that asks it."""
    variables: tuple[str, ...]
    """Environment variables of which one tells that it is in use here."""
    body_loggers: tuple[str, ...] = ()
    """Loggers that would show, at DEBUG, the answers of the store and what is in them."""


STORES: Mapping[str, Store] = {
    "aws-secretsmanager": Store(
        "AWS Secrets Manager",
        "AWSSecretsManager",
        "aws",
        "boto3",
        "aws",
        ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"),
        ("botocore.parsers",),
    ),
    "vault": Store("HashiCorp Vault", "HashiCorpVault", "vault", "hvac", "vault", ("VAULT_ADDR",)),
    "azure-keyvault": Store(
        "Azure Key Vault", "AzureKeyVault", "azure", "azure.keyvault", "azure", ("AZURE_KEY_VAULT_URL",)
    ),
}


def read_secret(reference: SecretReference, seconds: float = SECONDS) -> SecretStr:
    """What the store has under that name. Raises `SourceTroubleError`."""
    store = STORES[reference.store]
    if not is_installed(store.needs):
        raise SourceTroubleError(
            f"{store.title} needs a package that is not installed: pip install 'homeostasis-llm[{store.extra}]'"
        )
    problem = ""
    try:
        return within(seconds, lambda: _quietly(store, reference), "homeostasis-secret-store")
    except TimeoutError:
        problem = f"did not answer within {seconds:g} s"
    except SourceTroubleError as trouble:
        problem = str(trouble)
    except Exception as error:  # noqa: BLE001  # each library has errors of its own, of its HTTP client and its files
        problem = f"failed: {type(error).__name__}: {' '.join(str(error).split())}"
    raise SourceTroubleError(f"{store.title} {redact(problem)[:_LONGEST_COMPLAINT]}")


def stores_in_use(referred: set[str]) -> dict[str, str]:
    """The kinds of the stores that can be asked, by name: those `referred` to, and those the environment speaks of."""
    return {
        name: store.kind
        for name, store in STORES.items()
        if (name in referred or any(map(os.environ.get, store.variables))) and is_installed(store.needs)
    }


_reading: ContextVar[bool] = ContextVar("homeostasis_llm_reading_a_secret", default=False)


class _NotWhileReading(Filter):
    """Drops what is logged in the thread that reads a secret: it is not known as one before it has been read."""

    def filter(self, record: LogRecord) -> bool:  # noqa: ARG002  # the signature is logging's
        return not _reading.get()


_not_while_reading = _NotWhileReading()


def _quietly(store: Store, reference: SecretReference) -> SecretStr:
    for name in store.body_loggers:
        getLogger(name).addFilter(_not_while_reading)  # one that is there already is not added again
    _reading.set(True)  # in this thread, which does nothing else
    ask: Callable[[SecretReference], SecretStr] = import_module(f".{store.module}", __name__).read
    return ask(reference)
