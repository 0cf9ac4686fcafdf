"""Bars, as SVG: no more than a page needs, and alike wherever it is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape

from .tables import number

_WIDTH, _LABELS, _NUMBERS, _BAR, _GAP, _TOP = 760, 240, 80, 16, 6, 44
_OURS, _OTHERS = "#1f6feb", "#8b949e"


def bars(title: str, unit: str, values: Mapping[str, float], ours: Collection[str]) -> str:
    """A bar for each value, from zero; `ours` in a color of their own."""
    height = _TOP + len(values) * (_BAR + _GAP) + _GAP
    longest = max([*values.values(), 0]) or 1
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">',
        "<style>text { font: 12px sans-serif } .title { font-size: 15px }</style>",
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="8" y="20" class="title" fill="#1f2328">{escape(title)}</text>',
        f'<text x="8" y="36" fill="#59636e">{escape(unit)}</text>',
    ]
    for place, (name, value) in enumerate(values.items()):
        top = _TOP + place * (_BAR + _GAP)
        length = max(1.0, value / longest * (_WIDTH - _LABELS - _NUMBERS))
        color = _OURS if name in ours else _OTHERS
        lines += [
            f'<text x="{_LABELS - 8}" y="{top + 12}" text-anchor="end" fill="#1f2328">{escape(name)}</text>',
            f'<rect x="{_LABELS}" y="{top}" width="{length:.1f}" height="{_BAR}" fill="{color}"/>',
            f'<text x="{_LABELS + length + 6:.1f}" y="{top + 12}" fill="#1f2328">{number(value)}</text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
