"""What an image set is, in a few lines: the head of its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spadepis.checkpoints.defaults import shipped_weights
from spadepis.dataset.image_set.commits import done
from spadepis.dataset.storage.credentials import without_queries

# The network of a checkpoint, by the name of its setting.
NETWORKS = {"spade_checkpoint": "SPADE weights", "photowct_checkpoint": "PhotoWCT weights"}
# Which styles each scene has, by the setting "pairing".
PAIRINGS = {
    "random": "{number} for each scene, at random",
    "match": "{number} for each scene, matched to it",
    "all": "all for each scene",
    "table": "those of a table for each scene",
}


def facts(
    log: pa.Table, identity: Mapping[str, Any], checkpoints: Mapping[str, str | None]
) -> dict[str, str]:
    """Label space, sizes, styles, weights and date of an image set, those that are known.

    Args:
        log: all pairs of the image set, as ``read_log`` returns them.
        identity: the settings that the image set was made with.
        checkpoints: paths or URIs of the weights, by the names of their settings.
    """
    finished = done(log)
    last = pc.max(log["committed"]).as_py()
    lines = {
        "label space": identity.get("label_space"),
        "size": _sizes(finished),
        "styles": _styles(finished, identity),
        "made": last and f"{last:%Y-%m-%d %H:%M} UTC",
        **_weights(identity, checkpoints),
    }
    return {name: text for name, text in lines.items() if text}


def _sizes(finished: pa.Table) -> str | None:
    sizes = zip(finished["width"].to_pylist(), finished["height"].to_pylist(), strict=True)
    counts = Counter(size for size in sizes if None not in size)
    if not counts:
        return None
    ordered = sorted(counts, key=lambda size: (size[0] * size[1], size))
    first, last = (f"{width}x{height}" for width, height in (ordered[0], ordered[-1]))
    return first if len(counts) == 1 else f"{len(counts)} sizes, {first} to {last}"


def _styles(finished: pa.Table, identity: Mapping[str, Any]) -> str | None:
    count = pc.count_distinct(finished["style_id"]).as_py()
    pairing = PAIRINGS.get(identity.get("pairing", ""), "")
    text = pairing.format(number=identity.get("styles_per_mask"))
    return count and (f"{count}, {text}" if text else f"{count}")


def _weights(identity: Mapping[str, Any], checkpoints: Mapping[str, str | None]) -> dict[str, str]:
    """The files of weights by network; a hash tells one from others of its name."""
    hashes = {name: identity.get(f"{name}_sha256") for name in NETWORKS}
    used = {name: sha256 for name, sha256 in hashes.items() if sha256}
    if used and set(used.values()) <= shipped_weights():
        return {"weights": "the small ones that come with spadepis"}
    return {NETWORKS[name]: _file(sha256, checkpoints.get(name)) for name, sha256 in used.items()}


def _file(sha256: str, uri: str | None) -> str:
    if sha256 in shipped_weights():
        return "the small ones that come with spadepis"
    # Published files have the same name for each label space; their folder tells them apart.
    name = "/".join(PurePosixPath(without_queries(uri)).parts[-2:]) if uri else "a file"
    return f"{name} (SHA-256 {sha256[:12]}…)"
