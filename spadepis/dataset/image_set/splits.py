"""Splits of an image set into training and validation, by scene."""

from __future__ import annotations

import hashlib
from typing import Final

from spadepis.dataset.ids import matches

TRAIN: Final = "train"
VALIDATION: Final = "validation"


def check_split_rule(rule: str) -> str:
    """The rule itself, if it can be used; see ``split_of``.

    Raises:
        ValueError: the rule is a number that is not between 0 and 1, or is empty.
    """
    share = share_of(rule)
    if not rule.strip() or (share is not None and not 0 < share < 1):
        raise ValueError("give a share between 0 and 1, or globs of ids with commas between them")
    return rule


def split_of(mask_id: str, rule: str) -> str:
    """The split that all images of a scene belong to, "train" or "validation".

    Args:
        mask_id: id of the scene.
        rule: the share of scenes for validation, such as "0.1", which are drawn by a hash of their
            ids; or globs of the ids of these scenes, such as "val/*,frankfurt/*".
    """
    share = share_of(rule)
    if share is None:
        globs = (glob.strip() for glob in rule.split(","))
        return VALIDATION if matches(mask_id, globs) else TRAIN
    drawn = int.from_bytes(hashlib.sha256(mask_id.encode()).digest()[:8], "big") / 2**64
    return VALIDATION if drawn < share else TRAIN


def metadata_of_split(split: str) -> str:
    """Name of the file with the metadata of a split."""
    return f"metadata-{split}.parquet"


def share_of(rule: str) -> float | None:
    """The share of scenes for validation; None if the rule is of globs."""
    try:
        return float(rule)
    except ValueError:
        return None
