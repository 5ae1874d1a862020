"""Writing the images of an image set: as files, or as Parquet shards that hold them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from spadepis.dataset.encoding import encode_jpeg, encode_png
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.image_set.layout import (
    content_name,
    image_name,
    label_map_name,
    name_in_shard,
    shard_name,
)
from spadepis.dataset.storage.folder import Folder

# To read a row, a reader has to read its row group.
ROWS_IN_GROUP = 8
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_SHARD = pa.schema(
    [
        ("image", _IMAGE),
        ("mask", _IMAGE),
        ("content", _IMAGE),
        ("mask_id", pa.string()),
        ("style_id", pa.string()),
    ]
)
# Makes Hugging Face's reader decode the columns.
_FEATURES = {name: {"_type": "Image"} for name in ("image", "mask", "content")} | {
    name: {"dtype": "string", "_type": "Value"} for name in ("mask_id", "style_id")
}


@dataclass(frozen=True)
class Encoded:
    """A pair that is done, ready to be published.

    Attributes:
        commit: what is known of the pair so far.
        image: the encoded result.
        mask: the encoded label map, if there is one.
        content: the encoded photo before stylization, if it is kept.
    """

    commit: Commit
    image: bytes
    mask: bytes | None
    content: bytes | None


@dataclass(frozen=True)
class ImageSetWriter:
    """Encodes images and publishes them under names that are the same at every retry.

    Attributes:
        folder: the image set.
        suffix: "jpg" or "png".
        quality: of JPEG files, 1 to 100.
        in_shards: whether images are rows of Parquet shards rather than files.
    """

    folder: Folder
    suffix: str
    quality: int
    in_shards: bool = False

    def encode(self, image: NDArray[np.uint8]) -> bytes:
        """Encode a photo, uint8 [H,W,3]."""
        return encode_jpeg(image, self.quality) if self.suffix == "jpg" else encode_png(image)

    def publish(self, pairs: Sequence[Encoded]) -> list[Commit]:
        """Write the images of pairs, and return their commits with names, hashes and sizes."""
        named = [self._named(pair) for pair in pairs]
        if not self.in_shards:
            files = dict(
                file
                for pair, commit in zip(pairs, named, strict=True)
                for file in _files(pair, commit)
            )
            for name, content in files.items():
                self.folder.write(name, content)
            return named
        return self._publish_shard(pairs, named) if pairs else []

    def _named(self, pair: Encoded) -> Commit:
        commit = pair.commit
        mask, content = label_map_name(commit.mask_id), content_name(commit.mask_id, self.suffix)
        return replace(
            commit,
            file_name=image_name(commit.mask_id, commit.style_id, self.suffix),
            mask_file_name=None if pair.mask is None else mask,
            content_file_name=None if pair.content is None else content,
            image_sha256=_sha256(pair.image),
            mask_sha256=_sha256(pair.mask),
            content_sha256=_sha256(pair.content),
            image_bytes=_size(pair.image),
            mask_bytes=_size(pair.mask),
            content_bytes=_size(pair.content),
        )

    def _publish_shard(self, pairs: Sequence[Encoded], named: Sequence[Commit]) -> list[Commit]:
        """Write a shard that holds all pairs."""
        # Hashes are part of the name, so that another writer's shard never replaces this one.
        contents = [
            (c.mask_id, c.style_id, c.image_sha256, c.mask_sha256, c.content_sha256) for c in named
        ]
        shard = shard_name(json.dumps(contents).encode())
        rows = [
            {
                "image": {"bytes": pair.image, "path": commit.file_name},
                "mask": _cell(pair.mask, commit.mask_file_name),
                "content": _cell(pair.content, commit.content_file_name),
                "mask_id": commit.mask_id,
                "style_id": commit.style_id,
            }
            for pair, commit in zip(pairs, named, strict=True)
        ]
        stored = _shard_to_parquet(pa.Table.from_pylist(rows, _SHARD))
        self.folder.write(shard, stored)

        def place(column: str, name: str | None, row: int) -> str | None:
            return None if name is None else name_in_shard(shard, column, row)

        size = len(stored)
        return [
            replace(
                commit,
                file_name=place("image", commit.file_name, row),
                mask_file_name=place("mask", commit.mask_file_name, row),
                content_file_name=place("content", commit.content_file_name, row),
                image_bytes=size,
                mask_bytes=None if commit.mask_bytes is None else size,
                content_bytes=None if commit.content_bytes is None else size,
            )
            for row, commit in enumerate(named)
        ]


def _files(pair: Encoded, commit: Commit) -> list[tuple[str, bytes]]:
    names = (commit.file_name, commit.mask_file_name, commit.content_file_name)
    contents = (pair.image, pair.mask, pair.content)
    return [
        (name, content)
        for name, content in zip(names, contents, strict=True)
        if name is not None and content is not None
    ]


def _cell(content: bytes | None, path: str | None) -> dict[str, bytes | str | None] | None:
    return None if content is None else {"bytes": content, "path": path}


def _shard_to_parquet(table: pa.Table) -> bytes:
    features = json.dumps({"info": {"features": _FEATURES}})
    buffer = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata({"huggingface": features}),
        buffer,
        row_group_size=ROWS_IN_GROUP,
        # Images are compressed already, and the dictionary removes what rows repeat.
        compression="none",
    )
    return buffer.getvalue()


def _sha256(content: bytes | None) -> str | None:
    return None if content is None else hashlib.sha256(content).hexdigest()


def _size(content: bytes | None) -> int | None:
    return None if content is None else len(content)
