"""Python's garbage collector rests while large packages are imported, and nobody's garbage stays for that."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from homeostasis_llm._importing import without_collections


class Ring:
    """Garbage, once nobody has it: only the collector can take it away."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """As it was, whatever a test does to it."""
    gc.collect()
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_collected_meanwhile_and_everything_can_be_afterwards() -> None:
    before = weakref.ref(Ring())
    with without_collections():
        assert not gc.isenabled()
        meanwhile = weakref.ref(Ring())

    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert gc.collect() >= 2
    assert (before(), meanwhile()) == (None, None)


def test_what_was_made_meanwhile_is_not_looked_through_as_if_it_were_new() -> None:
    with without_collections():
        made = [Ring() for _ in range(5000)]

    young = {id(found) for generation in (0, 1) for found in gc.get_objects(generation)}
    assert not young & {id(ring) for ring in made}


def test_a_collector_that_is_turned_off_stays_so() -> None:
    gc.disable()
    with without_collections():
        pass

    assert not gc.isenabled()


def test_what_a_program_has_frozen_stays_frozen() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    with without_collections():
        pass

    assert gc.get_freeze_count() == frozen > 0
    assert gc.isenabled()


def test_it_is_turned_on_again_where_the_import_fails() -> None:
    with pytest.raises(ImportError), without_collections():
        raise ImportError

    assert gc.isenabled()
