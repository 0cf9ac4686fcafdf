"""Build the request that `litellm.completion` would send to Bedrock's Converse.

Import this only after `runtime.load_litellm`: it needs litellm itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from litellm.anthropic_beta_headers_manager import update_headers_with_filtered_beta
from litellm.llms.bedrock.base_aws_llm import bedrock_bearer_token
from litellm.llms.bedrock.chat.converse_handler import BedrockConverseLLM
from litellm.llms.bedrock.common_utils import BedrockModelInfo, without_bedrock_route_prefix
from litellm.llms.bedrock.request_metadata import bedrock_request_metadata_is_owned

_AWS = BedrockConverseLLM()

_OTHER_ACCOUNTS = ("AWS_PROFILE_NAME", "AWS_ROLE_NAME", "AWS_WEB_IDENTITY_TOKEN")
"""Where AWS is asked for credentials, by litellm: that must not be waited for in an event loop."""

_PLACES = ("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE", "HOME")
"""What tells litellm and AWS's SDK the region."""


def asks_converse(model: str) -> bool:
    """Whether litellm asks for `model` over Converse whatever is asked of it, at an address made of its name alone."""
    named = without_bedrock_route_prefix(model)
    plain = "/" not in named and "arn:" not in named
    return plain and BedrockModelInfo.get_bedrock_route(model) == "converse"


def is_plain(arguments: Mapping[str, Any]) -> bool:
    """Whether a key, or credentials that stand in the environment, say who asks, and nothing says more of the way."""
    if bedrock_request_metadata_is_owned():
        return False  # a host application has litellm tell of whom it asks
    if any(name.startswith("aws_") or name == "model_id" for name in arguments):
        return False  # another account, region or address for this one request
    if any(name.lower() in {"anthropic-beta", "authorization"} for name in arguments.get("extra_headers", ())):
        return False  # litellm reads one otherwise in an event loop, and lets the other stand for a signature
    return bool(bedrock_bearer_token(arguments.get("api_key"))) or _signs()


def _signs() -> bool:
    stands = os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY")
    return bool(stands) and not any(name in os.environ for name in _OTHER_ACCOUNTS)


def converse_request(
    config: Any, model: str, arguments: Mapping[str, Any], messages: list[Any], options: dict[str, Any], *, stream: bool
) -> tuple[str, dict[str, str], bytes]:
    """URL, headers and body; `messages` and `options` are its own to change."""
    options.pop("stream", None)
    named, key, region = without_bedrock_route_prefix(model), arguments.get("api_key"), _region()
    _, base = _AWS.get_runtime_endpoint(
        api_base=arguments.get("api_base"), aws_bedrock_runtime_endpoint=None, aws_region_name=region
    )
    url = f"{base}/model/{_AWS.encode_model_id(model_id=named)}/{'converse-stream' if stream else 'converse'}"
    extra = dict(arguments.get("extra_headers", {}))
    headers = update_headers_with_filtered_beta(
        headers={"Content-Type": "application/json", **extra}, provider="bedrock_converse"
    )
    body = config.transform_request(
        model=named,
        messages=messages,
        optional_params=options,
        litellm_params={"custom_llm_provider": "bedrock", "aws_region_name": region},
        headers=extra,
    )
    data = json.dumps(body)  # as litellm writes it: a signature is of the very bytes
    signed = _AWS.get_request_headers(
        credentials=None if bedrock_bearer_token(key) else _credentials(),
        aws_region_name=region,
        extra_headers=extra,
        endpoint_url=url,
        data=data,
        headers=headers,
        api_key=key,
    )
    return url, dict(signed.headers), data.encode()


def _credentials() -> Any:
    from botocore.credentials import Credentials  # an extra of ours

    return Credentials(
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        token=os.environ.get("AWS_SESSION_TOKEN"),
    )


def _region() -> str:
    return _region_told(tuple(os.environ.get(name) for name in _PLACES))


@lru_cache(maxsize=16)
def _region_told(_: tuple[str | None, ...]) -> str:
    # Where no variable tells it, AWS's SDK is asked, which reads its files.
    region: str = _AWS.get_aws_region_name({})
    return region
