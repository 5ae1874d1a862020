"""The settings of an image set as its pages and ``spadepis inspect`` show them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# The settings whose values end with the start of a hash, such as "16 (72e2781d31dc)".
HASHED = ("label_space", "related_classes", "style_ids")
_HASH = re.compile(r"\b[0-9a-f]{12}(?=\)?$)")


def shown(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that an image set was made with, where hashes are called what they are."""
    hashes = {
        name: _HASH.sub(r"SHA-256 \g<0>", identity[name]) for name in HASHED if identity.get(name)
    }
    return {**identity, **hashes}
