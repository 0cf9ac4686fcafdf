"""Ask AWS Secrets Manager, with the credentials that boto3 finds: environment, profile, or the machine's role."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from ..errors import SourceTroubleError

if TYPE_CHECKING:
    from ...config import SecretReference

_WAIT = 5
"""Seconds for a connection, and for an answer."""


def read(reference: SecretReference) -> SecretStr:
    """The secret of that name or ARN, or one of its fields. Raises `SourceTroubleError`, and errors of botocore."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError, NoCredentialsError, NoRegionError

    waits = Config(connect_timeout=_WAIT, read_timeout=_WAIT, retries={"total_max_attempts": 2})
    try:
        client = boto3.session.Session().client("secretsmanager", region_name=_region(reference.name), config=waits)
        try:
            answer = client.get_secret_value(SecretId=reference.name)
        finally:
            client.close()
    except NoRegionError:
        problem = "has no region to be asked in; set AWS_DEFAULT_REGION"
    except NoCredentialsError:
        problem = "cannot be asked without AWS credentials; see `aws configure`"
    except ClientError as error:
        told = error.response.get("Error", {})
        problem = f"refused {reference.name}: {told.get('Code', 'unknown')}: {told.get('Message', '')}"
    else:
        return _picked(answer, reference)
    raise SourceTroubleError(problem)


def _region(name: str) -> str | None:
    """The region in an ARN, which may be another than the one that is set."""
    parts = name.split(":")
    return parts[3] if name.startswith("arn:") and len(parts) > 3 and parts[3] else None


def _picked(answer: dict[str, Any], reference: SecretReference) -> SecretStr:
    kept = answer.get("SecretString")
    if kept is None:
        kept = bytes(answer.get("SecretBinary", b"")).decode()
    try:
        fields = json.loads(kept)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        if reference.field is None:
            return SecretStr(kept)
        raise SourceTroubleError(f"has one value under {reference.name}, and no fields: leave out #{reference.field}")
    found = None if reference.field is None else fields.get(reference.field)
    if not isinstance(found, str):
        missing = "several fields" if reference.field is None else f"no field {reference.field}"
        raise SourceTroubleError(
            f"has {missing} under {reference.name}; name one, as in aws-secretsmanager:{reference.name}#FIELD, "
            f"of {', '.join(map(str, fields))}"
        )
    return SecretStr(found)
