"""Which styles a mask gets."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def random_styles(mask_id: str, style_ids: Sequence[str], count: int, seed: int) -> list[str]:
    """Draw ``count`` different styles for a mask, without replacement.

    Every (seed, mask, style) has its own hash, and the styles with the lowest win: the draw depends
    on no order, no machine and no other mask.

    Raises:
        ValueError: there are fewer styles than ``count``.
    """
    if count > len(style_ids):
        raise ValueError(f"{count} styles per mask asked for, {len(style_ids)} there")

    def rank(style_id: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{mask_id}\0{style_id}".encode()).digest()

    return sorted(style_ids, key=rank)[:count]
