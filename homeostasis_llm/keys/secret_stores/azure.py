"""Ask Azure Key Vault, with the credentials that azure-identity finds: environment, managed identity, or `az login`."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from pydantic import SecretStr

from ..errors import SourceTroubleError

if TYPE_CHECKING:
    from ...config import SecretReference

_WAIT = 5
"""Seconds for a connection, for an answer, and for each program that may have credentials."""


def read(reference: SecretReference) -> SecretStr:
    """The secret of that name in the vault of `AZURE_KEY_VAULT_URL`.

    Raises `SourceTroubleError`, and errors of azure-core.
    """
    from azure.core import exceptions
    from azure.identity import DefaultAzureCredential
    from azure.keyvault.secrets import SecretClient

    url = os.environ.get("AZURE_KEY_VAULT_URL", "").strip()
    if not url:
        raise SourceTroubleError("has no address; set AZURE_KEY_VAULT_URL")
    for name in ("azure", "msal"):
        # They warn of each place without credentials, and without a handler that would be printed.
        logging.getLogger(name).addHandler(_nowhere)
    waits = {"connection_timeout": _WAIT, "read_timeout": _WAIT, "retry_total": 1}
    try:
        with (
            DefaultAzureCredential(process_timeout=_WAIT, **waits) as credential,
            SecretClient(vault_url=url, credential=credential, **waits) as client,
        ):
            found = client.get_secret(reference.name).value
    except exceptions.ResourceNotFoundError:
        problem = f"has no secret called {reference.name} at {url}"
    except exceptions.ClientAuthenticationError:
        problem = "cannot be asked without Azure credentials; see `az login`"
    except exceptions.HttpResponseError as error:
        problem = f"answered {error.status_code} for {reference.name}"
    except exceptions.ServiceRequestError:
        problem = f"cannot be reached at {url}"
    else:
        if found:
            return SecretStr(found)
        problem = f"has an empty secret called {reference.name}"
    raise SourceTroubleError(problem)


_nowhere = logging.NullHandler()
