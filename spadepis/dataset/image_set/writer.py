"""Writing the images of an image set: as files, or as Parquet shards that hold them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spadepis.dataset.encoding import encode_jpeg, encode_png
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.image_set.layout import (
    KINDS,
    Kind,
    content_name,
    image_name,
    instance_map_name,
    label_map_name,
    name_in_shard,
    shard_name,
)
from spadepis.dataset.image_set.sealed_parquet import seal
from spadepis.dataset.image_set.splits import split_of
from spadepis.dataset.storage.folder import Folder

# To read a row, a reader has to read its row group.
ROWS_IN_GROUP = 8
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_IDS = ("mask_id", "style_id")
# Shards of all image sets have these columns; there is another one only where a set has it.
USUAL_KINDS = ("image", "mask", "content")


@dataclass(frozen=True)
class Encoded:
    """A pair that is done, ready to be published.

    Attributes:
        commit: what is known of the pair so far.
        image: the encoded result.
        mask: the encoded label map, if there is one.
        content: the encoded photo before stylization, if it is kept.
        instance: the encoded instance map, if it is kept.
    """

    commit: Commit
    image: bytes
    mask: bytes | None
    content: bytes | None
    instance: bytes | None = None

    @property
    def contents(self) -> Mapping[Kind, bytes]:
        """The encoded images of the kinds that the pair has."""
        contents = {kind: getattr(self, kind.name) for kind in KINDS}
        return {kind: content for kind, content in contents.items() if content is not None}


@dataclass(frozen=True)
class ImageSetWriter:
    """Encodes images and publishes them under names that are the same at every retry.

    Attributes:
        folder: the image set.
        suffix: "jpg" or "png".
        quality: of JPEG files, 1 to 100.
        in_shards: whether images are rows of Parquet shards rather than files.
        split_by: the rule of ``split_of``, if each shard holds the images of one split.
    """

    folder: Folder
    suffix: str
    quality: int
    in_shards: bool = False
    split_by: str | None = None

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Encode a photo, uint8 [H,W,3]."""
        return encode_jpeg(image, self.quality) if self.suffix == "jpg" else encode_png(image)

    def publish(self, pairs: Sequence[Encoded]) -> list[Commit]:
        """Write the images of pairs, and return their commits with names, hashes and sizes."""
        named = [self._named(pair) for pair in pairs]
        if self.in_shards:
            return self._publish_shards(pairs, named)
        files = {
            getattr(commit, kind.name_column): content
            for pair, commit in zip(pairs, named, strict=True)
            for kind, content in pair.contents.items()
        }
        for name, content in files.items():
            self.folder.write(name, content)
        return named

    def _named(self, pair: Encoded) -> Commit:
        mask_id = pair.commit.mask_id
        names = {
            "image": image_name(mask_id, pair.commit.style_id, self.suffix),
            "mask": label_map_name(mask_id),
            "content": content_name(mask_id, self.suffix),
            "instance": instance_map_name(mask_id),
        }
        columns: dict[str, Any] = {}
        for kind, content in pair.contents.items():
            columns[kind.name_column] = names[kind.name]
            columns[kind.hash_column] = hashlib.sha256(content).hexdigest()
            columns[kind.size_column] = len(content)
        return replace(pair.commit, **columns)

    def _publish_shards(self, pairs: Sequence[Encoded], named: Sequence[Commit]) -> list[Commit]:
        """Write a shard that holds all pairs, or one for each split that has any."""
        rows: dict[str | None, list[int]] = defaultdict(list)
        for row, commit in enumerate(named):
            split = None if self.split_by is None else split_of(commit.mask_id, self.split_by)
            rows[split].append(row)
        published: dict[int, Commit] = {}
        for split, chosen in rows.items():
            commits = self._publish_shard(
                [pairs[row] for row in chosen], [named[row] for row in chosen], split
            )
            published |= zip(chosen, commits, strict=True)
        return [published[row] for row in range(len(named))]

    def _publish_shard(
        self, pairs: Sequence[Encoded], named: Sequence[Commit], split: str | None
    ) -> list[Commit]:
        kinds = [kind for kind in KINDS if kind.name in USUAL_KINDS or kind in pairs[0].contents]
        # Hashes are part of the name, so that another writer's shard never replaces this one.
        hashed = [*_IDS, *(kind.hash_column for kind in kinds)]
        contents = [[getattr(commit, column) for column in hashed] for commit in named]
        shard = shard_name(json.dumps(contents).encode(), split)
        rows = [
            {name: getattr(commit, name) for name in _IDS}
            | {
                kind.name: {"bytes": content, "path": getattr(commit, kind.name_column)}
                for kind, content in pair.contents.items()
            }
            for pair, commit in zip(pairs, named, strict=True)
        ]
        stored = _shard_to_parquet(rows, [kind.name for kind in kinds])
        self.folder.write(shard, stored)
        published = []
        for row, (pair, commit) in enumerate(zip(pairs, named, strict=True)):
            columns: dict[str, Any] = {}
            for kind in pair.contents:
                columns[kind.name_column] = name_in_shard(shard, kind.name, row)
                columns[kind.size_column] = len(stored)
            published.append(replace(commit, **columns))
        return published


def _shard_to_parquet(rows: Sequence[Mapping[str, Any]], images: Sequence[str]) -> bytes:
    """The rows of a shard as a Parquet file, with the names of its columns of images."""
    schema = pa.schema([*((name, _IMAGE) for name in images), *((id, pa.string()) for id in _IDS)])
    # Makes Hugging Face's reader decode the columns.
    features = {name: {"_type": "Image"} for name in images} | {
        name: {"dtype": "string", "_type": "Value"} for name in _IDS
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return seal(
        pa.Table.from_pylist(rows, schema).replace_schema_metadata(metadata),
        row_group_size=ROWS_IN_GROUP,
        # Images are compressed already, and the dictionary removes what rows repeat.
        compression="none",
    )
