"""Where the catalog and litellm's own data disagree, and why we keep ours: each one judged, none left over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Field = Literal["base_url", "base_url_env", "env", "default_model", "tools", "response_format"]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One fact that we and litellm tell differently; a dash stands for nothing."""

    row: str
    field: Field
    ours: str
    theirs: str
    """What litellm does, as it was seen on the wire, or what its price list says."""


NOT_READ = "not read"
NOT_LISTED = "not in the price list"
NOT_REFUSED = "not known to be lacking"
REFUSED = "refused"

_FOR_US = "the provider's users keep their key there, and we give it to litellm"
_FACTORY = "a local server's address is the catalog's wherever nobody says otherwise, so litellm's is never used"
_NO_PRICES = "litellm has no prices of this provider's; the name is from the provider's own documentation"
_UNTRANSLATED = "the catalog does not repeat what litellm translates; our provider hands on litellm's refusal"
_UNLISTED = "litellm refuses tools to this provider's models where its price list does not grant them, and it has none"
_SETTING = "a setting, no key: litellm wants it beside credentials, and says so itself"
_AWS = "AWS's own credentials are for its SDK to find; only the bearer's token is a key of ours"


def _env(row: str, variable: str, why: str) -> tuple[Disagreement, str]:
    return Disagreement(row, "env", variable, NOT_READ), f"{_FOR_US}: {why}"


def _wanted(row: str, variable: str, why: str) -> tuple[Disagreement, str]:
    return Disagreement(row, "env", "-", variable), why


def _model(row: str, model: str, why: str = _NO_PRICES) -> tuple[Disagreement, str]:
    return Disagreement(row, "default_model", model, NOT_LISTED), why


def _refused(row: str, field: Literal["tools", "response_format"], why: str) -> tuple[Disagreement, str]:
    return Disagreement(row, field, NOT_REFUSED, REFUSED), why


JUDGED: dict[Disagreement, str] = dict(
    [
        # Addresses.
        (Disagreement("lm_studio", "base_url", "http://localhost:1234/v1", "https://api.openai.com/v1"), _FACTORY),
        (Disagreement("hosted_vllm", "base_url", "http://localhost:8000/v1", "https://api.openai.com"), _FACTORY),
        (Disagreement("litellm_proxy", "base_url", "http://localhost:4000", "https://api.openai.com/v1"), _FACTORY),
        (
            Disagreement("lemonade", "base_url", "http://localhost:13305/v1", "http://localhost:8000/api/v1"),
            f"litellm has the port of older versions; {_FACTORY}",
        ),
        (
            Disagreement(
                "docker_model_runner",
                "base_url",
                "http://localhost:12434/engines/v1",
                "http://localhost:22088/engines/llama.cpp",
            ),
            f"Docker's documentation has neither that port nor a path without v1; {_FACTORY}",
        ),
        # Variables.
        _env("aiml", "AIMLAPI_API_KEY", "its own LangChain package reads it"),
        _env("amazon_nova", "NOVA_API_KEY", "Amazon's own tools read it"),
        _env("cloudflare", "CLOUDFLARE_API_TOKEN", "Cloudflare's own tools read it"),
        _env("databricks", "DATABRICKS_TOKEN", "Databricks' own tools read it"),
        _env("nvidia_nim", "NVIDIA_API_KEY", "NVIDIA's docs have it"),
        _env("ovhcloud", "OVH_AI_ENDPOINTS_ACCESS_TOKEN", "OVHcloud's docs have it"),
        _env("veniceai", "VENICE_API_KEY", "Venice's docs have it"),
        _env("vercel_ai_gateway", "AI_GATEWAY_API_KEY", "Vercel's docs have it"),
        _env("volcengine", "ARK_API_KEY", "Volcengine's docs have it"),
        _env("xiaomi_mimo", "MIMO_API_KEY", "Xiaomi's docs have it"),
        _wanted("azure", "AZURE_API_VERSION", _SETTING),
        _wanted("bedrock", "AWS_ACCESS_KEY_ID", _AWS),
        _wanted("bedrock", "AWS_SECRET_ACCESS_KEY", _AWS),
        _wanted("vertex_ai", "VERTEXAI_LOCATION", _SETTING),
        _wanted("vertex_ai", "VERTEXAI_PROJECT", _SETTING),
        # Default models.
        _model("aiml", "google/gemma-3-4b-it"),
        _model("amazon_nova", "nova-2-lite-v1", "the list has the first generation alone, under another name"),
        _model("chutes", "Qwen/Qwen3-32B-TEE"),
        _model("cometapi", "gpt-5-mini"),
        _model("edenai", "anthropic/claude-haiku-4-5"),
        _model("featherless_ai", "Qwen/Qwen2.5-7B-Instruct", "the list has two experiments alone"),
        _model("helicone", "gpt-4o-mini"),
        _model("huggingface", "openai/gpt-oss-20b"),
        _model("nvidia_nim", "openai/gpt-oss-20b", "the list has its rerankers alone"),
        _model("openrouter", "openai/gpt-oss-120b"),
        _model("reka", "reka-flash-3"),
        _model("sarvam", "sarvam-105b", "the list has a model alone that is withdrawn"),
        _model("synthetic", "hf:openai/gpt-oss-120b"),
        _model("veniceai", "zai-org-glm-5"),
        # Parameters.
        (
            Disagreement("ovhcloud", "tools", "taken", "no, says the price list"),
            "litellm itself sends them on; the model is known for calling tools",
        ),
        _refused("amazon_nova", "response_format", _UNTRANSLATED),
        _refused("chutes", "tools", _UNLISTED),
        _refused("cohere", "response_format", _UNTRANSLATED),
        _refused("featherless_ai", "response_format", _UNTRANSLATED),
        _refused("featherless_ai", "tools", _UNTRANSLATED),
        _refused("helicone", "tools", _UNLISTED),
        _refused("nscale", "tools", _UNTRANSLATED),
        _refused("perplexity", "tools", _UNTRANSLATED),
        _refused("reka", "tools", _UNLISTED),
        _refused("snowflake", "response_format", _UNTRANSLATED),
        _refused("synthetic", "tools", _UNLISTED),
        _refused("volcengine", "response_format", _UNTRANSLATED),
        _refused("zai", "response_format", _UNTRANSLATED),
    ]
)
"""Each disagreement, and why ours stands."""
