"""Brace notation of file names, as shells and WebDataset write it."""

from __future__ import annotations

import re
from itertools import product

_BRACES = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"(\d+)\.\.(\d+)")
MOST_NAMES = 1_000_000


def expand_braces(pattern: str) -> list[str]:
    """All names that a pattern stands for: ``a{00..02}``, ``a{x,y}``; braces do not nest.

    Numbers have the digits of the first one. Braces with neither form are left as they are.

    Raises:
        ValueError: there are more than ``MOST_NAMES``.
    """
    pieces: list[list[str]] = []
    count, end = 1, 0
    for found in _BRACES.finditer(pattern):
        choices = _choices(found[1])
        pieces += [[pattern[end : found.start()]], choices or [found[0]]]
        end = found.end()
        count *= len(pieces[-1])
    if count > MOST_NAMES:
        raise ValueError(f"{pattern} stands for {count} names")
    return ["".join(parts) for parts in product(*pieces, [pattern[end:]])]


def _choices(content: str) -> list[str]:
    numbers = _NUMBERS.fullmatch(content)
    if numbers is None:
        return content.split(",") if "," in content else []
    first, last = numbers.groups()
    if abs(int(last) - int(first)) >= MOST_NAMES:
        raise ValueError(f"{{{content}}} stands for more than {MOST_NAMES} names")
    step = 1 if int(first) <= int(last) else -1
    width = len(first) if first.startswith("0") else 0
    return [f"{number:0{width}d}" for number in range(int(first), int(last) + step, step)]
