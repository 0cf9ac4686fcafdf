"""Ask HashiCorp Vault, or OpenBao, for a field of a secret in a key/value engine of version 1 or 2."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from ..errors import SourceTroubleError

if TYPE_CHECKING:
    from ...config import SecretReference

_WAIT = 5
"""Seconds for a connection, and for an answer."""


def read(reference: SecretReference) -> SecretStr:
    """The field of the secret at that path, as `vault kv get -field=FIELD PATH` has it.

    Raises `SourceTroubleError`, and errors of hvac and requests.
    """
    import hvac
    import requests
    from hvac import exceptions

    address = os.environ.get("VAULT_ADDR", "").strip()
    if not address:
        raise SourceTroubleError("has no address; set VAULT_ADDR")
    client = hvac.Client(url=address, namespace=os.environ.get("VAULT_NAMESPACE") or None, timeout=_WAIT)
    if not client.token:
        raise SourceTroubleError("needs a token; set VAULT_TOKEN, or log in with `vault login`")
    try:
        fields = _fields(client, reference.name)
    except exceptions.InvalidPath:
        hint = "; leave out the data/ in the path" if "/data/" in reference.name else ""
        problem = f"has nothing at {reference.name}{hint}"
    except (exceptions.Forbidden, exceptions.Unauthorized):
        problem = f"does not let this token read {reference.name}, or does not know the token"
    except exceptions.VaultDown:
        problem = "is sealed or down"
    except requests.RequestException as error:
        problem = f"cannot be reached at {address}: {type(error).__name__}"
    else:
        found = fields.get(reference.field or "")
        if isinstance(found, str):
            return SecretStr(found)
        problem = f"has no field {reference.field} at {reference.name}, only {', '.join(fields) or 'none'}"
    finally:
        client.adapter.close()
    raise SourceTroubleError(problem)


def _fields(client: Any, path: str) -> dict[str, Any]:
    engine, version = _engine(client, path)
    rest = path.removeprefix(engine).strip("/")
    engine = engine.strip("/")
    if version == "1":
        found: Any = client.secrets.kv.v1.read_secret(path=rest, mount_point=engine)["data"]
    else:
        found = client.secrets.kv.v2.read_secret_version(path=rest, mount_point=engine, raise_on_deleted_version=True)[
            "data"
        ]["data"]
    return dict(found or {})


def _engine(client: Any, path: str) -> tuple[str, str]:
    """Where the engine is mounted that has `path`, and its version, found out as the `vault` command does."""
    from hvac import exceptions

    try:
        told = client.adapter.get(f"/v1/sys/internal/ui/mounts/{path.strip('/')}")["data"]
    except exceptions.VaultError:  # it is old, or does not tell this token: then as by default
        return path.strip("/").partition("/")[0] + "/", "2"
    return str(told["path"]), str((told.get("options") or {}).get("version", "1"))
