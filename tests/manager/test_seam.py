"""However a text is cut, and however much of it the next provider says again, it reads on as one."""

from __future__ import annotations

import itertools

from hypothesis import assume, example, given
from hypothesis import strategies as st

from homeostasis_llm.manager.seam import Seam

PROBE = 12
SHORTEST = 4
TEXT = st.text(st.sampled_from("ab \n.Grüße🌍") | st.characters(codec="utf-8"), max_size=120)
CUTS = st.lists(st.integers(0, 200), max_size=12)
STORY = "Once upon a time there was a provider that never broke. Then, one Tuesday, it did; and another one went on."


def passed_on(beginning: str, rest: str, cuts: list[int]) -> str:
    """What comes out when `rest` arrives cut at these places."""
    seam = Seam(beginning)
    places = [0, *sorted(min(cut, len(rest)) for cut in cuts), len(rest)]
    return "".join(seam.add(rest[a:b]) for a, b in itertools.pairwise(places)) + seam.end()


def repeats_by_chance(beginning: str, rest: str) -> bool:
    """Whether `rest` begins with something that may be taken for the end of `beginning`."""
    bare = rest.lstrip()
    least = min(PROBE, len(beginning))
    return any(bare.startswith(beginning[-size:]) for size in range(least, len(beginning) + 1))


@given(TEXT, st.integers(0, 120), CUTS)
def test_a_rest_that_repeats_nothing_comes_whole(text: str, cut: int, cuts: list[int]) -> None:
    beginning, rest = text[:cut], text[cut:]
    assume(not beginning or not repeats_by_chance(beginning, rest))

    assert beginning + passed_on(beginning, rest, cuts) == text


@given(st.integers(PROBE, len(STORY)), st.integers(0, len(STORY)), CUTS, st.sampled_from(["", " ", "\n\n"]))
def test_what_is_said_again_is_dropped_wherever_it_begins(cut: int, start: int, cuts: list[int], blank: str) -> None:
    beginning = STORY[:cut]
    repeated = beginning[start:]
    assume(len(repeated.lstrip()) >= PROBE)

    assert beginning + passed_on(beginning, blank + repeated + STORY[cut:], cuts) == STORY


@given(st.integers(SHORTEST, len(STORY)), CUTS)
def test_the_whole_beginning_may_be_said_again(cut: int, cuts: list[int]) -> None:
    beginning = STORY[:cut]

    assert beginning + passed_on(beginning, STORY, cuts) == STORY


@given(st.integers(PROBE, len(STORY)), st.integers(1, PROBE - 1), CUTS)
def test_what_may_be_said_twice_by_chance_is_not_dropped(cut: int, size: int, cuts: list[int]) -> None:
    beginning = STORY[:cut]
    rest = beginning[-size:] + "☺ and so on"
    assume(not repeats_by_chance(beginning, rest))

    assert passed_on(beginning, rest, cuts) == rest


@given(TEXT, TEXT, CUTS)
@example("ababababababababab", "abababababab", [])
@example("Once upon a time", "Once upon", [])
def test_nothing_is_lost_but_what_stands_at_the_end_of_the_beginning(
    beginning: str, rest: str, cuts: list[int]
) -> None:
    told = passed_on(beginning, rest, cuts)

    assert rest.endswith(told)
    dropped = rest[: len(rest) - len(told)].strip()
    assert not dropped or dropped in beginning


@given(TEXT, TEXT, CUTS)
def test_how_the_rest_is_cut_changes_nothing(beginning: str, rest: str, cuts: list[int]) -> None:
    assert passed_on(beginning, rest, cuts) == passed_on(beginning, rest, [])


def test_a_digit_is_not_taken_for_a_repetition_of_another() -> None:
    assert "1" + passed_on("1", "1 players are on the field.", []) == "11 players are on the field."


def test_text_is_held_back_only_while_it_may_be_a_repetition() -> None:
    seam = Seam(STORY[:40])

    assert seam.add(STORY[20:30]) == ""
    assert seam.add("— no, ") == STORY[20:30] + "— no, "
    assert seam.add("anew") == "anew"
    assert seam.end() == ""


def test_the_whole_of_a_long_beginning_may_be_said_again() -> None:
    long = "".join(f"Line {number} of a long answer.\n" for number in range(2_000))
    beginning = long[:40_000]

    assert beginning + passed_on(beginning, long, list(range(0, len(long), 50))) == long


def test_a_text_that_repeats_itself_does_not_take_for_ever() -> None:
    beginning = "ab" * 20_000

    assert passed_on(beginning, "ab" * 30_000, list(range(0, 60_000, 20))).endswith("ab" * 10_000)
