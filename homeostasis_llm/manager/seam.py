"""Join the beginning of an answer that broke off and the rest that somebody else wrote, without repetition."""

from __future__ import annotations

_PROBE = 12
"""Characters that must be repeated to be taken for a repetition: shorter ones are chance."""

_LONGEST = 4_000
"""Characters of the beginning, from its end, in which a repetition is looked for; the whole is recognized too."""

_SHORTEST = 4
"""Characters of a beginning of which nothing is taken for a repetition: after "1" the rest may well begin with a 1."""

INSTRUCTION = (
    "Your answer above was cut off while it was being sent. Go on exactly where it ends, in the middle of a word if it "
    "ends there. Repeat nothing, and say nothing about the interruption."
)
"""What the next provider is told. Many refuse to be given the beginning of their own answer as the last message."""


class Seam:
    """Takes the rest piece by piece, and drops from its front what repeats the beginning.

    It holds text back only while that may be a repetition.
    """

    def __init__(self, beginning: str) -> None:
        self._whole = beginning.lstrip()
        self._beginning = beginning[-_LONGEST:]
        self._probe = min(_PROBE, len(self._beginning))
        self._held = ""
        self._decided = len(self._whole) < _SHORTEST

    def add(self, text: str) -> str:
        """What of the rest can be passed on, now that `text` has come."""
        if self._decided:
            return text
        self._held += text
        repeated, undecided = self._repeated(self._held)
        if undecided:
            return ""
        self._decided = True
        passed, self._held = self._held[repeated:], ""
        return passed

    def end(self) -> str:
        """What was held back, where the rest ends before it was clear."""
        if self._decided:
            return ""
        repeated, _ = self._repeated(self._held)
        self._decided = True
        passed, self._held = self._held[repeated:], ""
        return passed

    def _repeated(self, rest: str) -> tuple[int, bool]:
        """How many characters of `rest` repeat the end of the beginning, and whether more of them may come."""
        bare = rest.lstrip()
        blank = len(rest) - len(bare)
        if len(bare) < self._probe:
            return 0, bare == "" or bare in self._beginning
        if bare.startswith(self._whole):
            return blank + len(self._whole), False
        longest, undecided = 0, self._whole.startswith(bare)
        place = self._beginning.find(bare[: self._probe])
        while place >= 0:
            tail = self._beginning[place:]
            if bare.startswith(tail):
                longest = max(longest, blank + len(tail))
            elif tail.startswith(bare):
                undecided = True
            place = self._beginning.find(bare[: self._probe], place + 1)
        return longest, undecided
