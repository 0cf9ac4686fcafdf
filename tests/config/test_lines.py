"""The line of a key is found in whatever way TOML lets it be written."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostasis_llm.config.lines import line_of

TEXT = """\
# a comment
plain = 1
"quoted key" = 2
dotted.inner.most = 3
inline = { a = 1, b = { c = 2 } }

many = [
  "lines", # with comments
  "each",
]
text = '''
plain = "not this one"
'''
[table]   # with a comment
inner = 1
[table.below]
deep = 1
[other]
[table.again]
late = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (["plain"], 2),
        (["quoted key"], 3),
        (["dotted"], 4),
        (["dotted", "inner", "most"], 4),
        (["inline", "b", "c"], 5),
        (["many"], 7),
        (["text"], 11),
        (["table"], 14),
        (["table", "inner"], 15),
        (["table", "below"], 16),
        (["table", "below", "deep"], 17),
        (["other"], 18),
        (["table", "again", "late"], 20),
        (["plain", "further"], None),
        (["absent"], None),
        ([], 1),
    ],
)
def test_a_key_is_found_however_it_is_written(path: list[str], line: int | None) -> None:
    assert line_of(TEXT, path) == line


def test_windows_line_ends_count_once() -> None:
    assert line_of(TEXT.replace("\n", "\r\n"), ["table", "again", "late"]) == 20


@settings(deadline=None)  # how long parsing takes is no matter here
@given(
    st.lists(
        st.sampled_from(
            [
                "{} = 1",
                "{} = '''\n\n'''",
                "{} = [\n  1, # one\n\n  2,\n]",
                "\n\n{} = {{ a = 1 }}",
                '# {0} = 1\n{0} = "a # b"',
                "[{}]\nx = 1",
                '{} = """\n[table]\n"""',
            ]
        ),
        min_size=1,
        max_size=30,
    )
)
def test_each_of_many_keys_is_found_where_it_was_put(forms: list[str]) -> None:
    text, lines = "", {}
    for number, form in enumerate(sorted(forms, key=lambda form: form.startswith("["))):
        name = f"key_{number}"
        statement = form.format(name)
        before = statement[: statement.rindex(name)]
        lines[name] = text.count("\n") + before.count("\n") + 1
        text += f"{statement}\n"
    assert tomllib.loads(text).keys() == lines.keys()

    assert {name: line_of(text, [name]) for name in lines} == lines
