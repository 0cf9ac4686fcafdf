"""Find a model in a repository of Hugging Face and download it, or take it from huggingface_hub's cache."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from homeostasis_llm import LLMConnectionError, ModelNotFoundError, PermissionDeniedError

# What most repositories have in several sizes, and llama.cpp itself takes where none is named.
_USUAL = "Q4_K_M"
_PART = re.compile(r"-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$", re.IGNORECASE)


def find(repository: str, wanted: str | None) -> Path:
    """The file of `repository` that is `wanted`: its name, or a word in it such as `Q8_0`.

    Raises `ModelNotFoundError`, `PermissionDeniedError` for a repository that asks for a consent, `LLMConnectionError`.
    """
    if find_spec("huggingface_hub") is None:
        raise ModelNotFoundError(
            f"to get {repository} from Hugging Face: pip install 'homeostasis-llm-llama-cpp[huggingface]'",
            model=repository,
        )
    import httpx
    from huggingface_hub import errors

    try:
        parts = _parts(choose(_names(repository), wanted, repository))
        return [_download(repository, part) for part in parts][0]  # noqa: RUF015  # all are needed
    except errors.GatedRepoError:
        raise PermissionDeniedError(
            f"{repository} is open only to those who have agreed to its terms at Hugging Face: "
            "do that there, then set HF_TOKEN",
            model=repository,
            status_code=403,
        ) from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise ModelNotFoundError(f"Hugging Face has no repository {repository}", model=repository) from None
    except errors.HfHubHTTPError as error:
        _unreachable(repository, error, error.response.status_code)
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx.HTTPError) as error:
        _unreachable(repository, error, None)


def _unreachable(repository: str, error: Exception, status: int | None) -> NoReturn:
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    raise LLMConnectionError(
        f"cannot get {repository} from Hugging Face: {first}", model=repository, status_code=status
    ).with_cause(error)


def choose(names: list[str], wanted: str | None, repository: str) -> str:
    """Which of the files `names` is meant; of a model in several parts, the first. Raises `ModelNotFoundError`."""
    models = sorted(name for name in names if name.lower().endswith(".gguf") and _is_first(name))
    if wanted in models:
        return str(wanted)
    word = wanted or _USUAL
    fitting = [name for name in models if word.lower() in name.lower()]
    if wanted is None and len(models) == 1:
        fitting = models
    if len(fitting) == 1:
        return fitting[0]
    if not models:
        raise ModelNotFoundError(f"{repository} has no GGUF model", model=repository)
    problem = "has several models" if wanted is None else f"has no one model for {wanted!r}"
    raise ModelNotFoundError(
        f"{repository} {problem}: name one, as in {repository}:{models[0]}; there are {', '.join(models)}",
        model=repository,
    )


def _is_first(name: str) -> bool:
    # A file of this kind holds a model's eyes, not a model.
    if "mmproj" in name.lower():
        return False
    part = _PART.search(name)
    return part is None or int(part["number"]) == 1


def _parts(name: str) -> list[str]:
    """All files of the model that begins with `name`, in order."""
    part = _PART.search(name)
    if part is None:
        return [name]
    count = int(part["count"])
    return [f"{name[: part.start()]}-{number:05}-of-{part['count']}.gguf" for number in range(1, count + 1)]


def _names(repository: str) -> list[str]:
    """The files of the repository; without network, those of them that were downloaded before."""
    import httpx
    from huggingface_hub import HfApi, errors, snapshot_download

    try:
        return HfApi().list_repo_files(repository)
    except (errors.OfflineModeIsEnabled, httpx.TransportError) as error:
        try:
            folder = Path(snapshot_download(repository, local_files_only=True))
        except errors.LocalEntryNotFoundError:
            raise error from None
        return [str(file.relative_to(folder)) for file in folder.rglob("*.gguf")]


def _download(repository: str, name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import silent_tqdm

    # A library does not draw progress bars.
    return Path(hf_hub_download(repository, name, tqdm_class=silent_tqdm))
