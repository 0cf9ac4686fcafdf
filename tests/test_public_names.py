"""What `import homeostasis_llm` offers: the names it declares, each of which loads."""

from __future__ import annotations

import ast
import inspect

import pytest

import homeostasis_llm


def _declared_for_type_checkers() -> dict[str, str]:
    """Each name under `if TYPE_CHECKING`, and the module it is imported from there."""
    tree = ast.parse(inspect.getsource(homeostasis_llm))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: f"homeostasis_llm.{node.module}" for node in imports for alias in node.names}


def test_all_names_what_type_checkers_see() -> None:
    assert sorted(homeostasis_llm.__all__) == sorted(_declared_for_type_checkers())


def test_no_name_is_listed_twice() -> None:
    assert len(homeostasis_llm.__all__) == len(set(homeostasis_llm.__all__))


@pytest.mark.parametrize("name", homeostasis_llm.__all__)
def test_every_public_name_loads_from_where_type_checkers_look(name: str) -> None:
    module = __import__(_declared_for_type_checkers()[name], fromlist=[name])

    assert getattr(homeostasis_llm, name) is getattr(module, name)


def test_completion_in_a_shell_knows_the_names() -> None:
    assert set(homeostasis_llm.__all__) <= set(dir(homeostasis_llm))


def test_a_mistyped_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'LLMReqest'"):
        homeostasis_llm.LLMReqest  # noqa: B018  # asking is the test
