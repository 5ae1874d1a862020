"""Reading an image set as a PyTorch dataset."""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors

from spadepis.dataset.encoding import decode
from spadepis.dataset.image_set.layout import MANIFEST, METADATA, object_name
from spadepis.dataset.image_set.stored_images import read_image
from spadepis.dataset.storage.folder import Folder

Example = tuple[tv_tensors.Image, tv_tensors.Mask | None]


class ImageSet(Dataset[Example]):
    """The images of a finished job with their label maps, whether files or rows of shards.

    It can be sent to the workers of a ``DataLoader``, forked or spawned.

    Args:
        uri: the output folder of the job, a local path or any fsspec URI.
        transforms: applied to image and label map together, e.g. from
            ``torchvision.transforms.v2``.
        cache: a local folder that keeps every file or shard that is read, for remote image sets.
            Several image sets and processes may share it.

    Raises:
        FileNotFoundError: no finished image set is there.
    """

    def __init__(
        self, uri: str, transforms: Callable[..., Any] | None = None, cache: str | None = None
    ) -> None:
        self._folder = Folder(str(uri))
        if not self._folder.exists(METADATA):
            raise FileNotFoundError(f"no image set in {self._folder.uri}: {METADATA} is missing")
        metadata = self._folder.read(METADATA)
        self.table: pa.Table = pq.read_table(io.BytesIO(metadata))
        self.transforms = transforms
        self._cache: Folder | None = None
        if cache is not None:
            # A set that was made anew under the same URI shares nothing with the old one.
            manifest = self._folder.read(MANIFEST) if self._folder.exists(MANIFEST) else b""
            key = hashlib.sha256(self._folder.uri.encode() + b"\0" + metadata + manifest)
            self._cache = Folder(f"{cache}/{key.hexdigest()[:32]}")

    def where(self, expression: pc.Expression | None = None, **columns: Any) -> ImageSet:
        """The part of the set whose metadata fit. No image is read.

        Args:
            expression: of pyarrow, e.g. ``pyarrow.compute.field("height") >= 256``.
            columns: the value that a column of ``table`` has, or a list of values, one of which it
                has. A column of lists has to hold all of them: ``classes=["car", "road"]``.

        Raises:
            KeyError: there is no such column.
        """
        table = self.table if expression is None else self.table.filter(expression)
        for name, value in columns.items():
            values = value if isinstance(value, list) else [value]
            kind = table.schema.field(name).type
            if pa.types.is_list(kind):
                table = table.filter(_holds_all(table[name], values))
            else:
                table = table.filter(pc.field(name).isin(pa.array(values, kind)))
        selection = copy.copy(self)
        selection.table = table.combine_chunks()
        return selection

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, index: int) -> Example:
        """Image and label map of a row of ``table``.

        Returns:
            The image, uint8 [3,H,W], and the label map, uint8 [H,W], with the values that the
            source dataset stores in its files; None where the job had no label maps.
        """
        row = {name: self.table[name][index].as_py() for name in self.table.column_names}
        image = tv_tensors.Image(self._read(row["file_name"]).permute(2, 0, 1))
        example: Example = (image, None)
        if row.get("mask_file_name") is not None:
            example = (image, tv_tensors.Mask(self._read(row["mask_file_name"])))
        return example if self.transforms is None else self.transforms(*example)

    def _read(self, name: str) -> Tensor:
        folder = self._folder
        stored = object_name(name)
        if self._cache is not None:
            folder = self._cache
            if not folder.exists(stored):
                folder.write(stored, self._folder.read(stored))
        return torch.from_numpy(decode(read_image(folder, name)).copy())


def _holds_all(lists: pa.ChunkedArray, values: list[Any]) -> pa.Array:
    """Whether each of some lists holds all values."""
    holds = np.ones(len(lists), np.bool_)
    parents, members = pc.list_parent_indices(lists), pc.list_flatten(lists)
    for value in values:
        has = np.zeros(len(lists), np.bool_)
        has[parents.filter(pc.equal(members, value)).to_numpy()] = True
        holds &= has
    return pa.array(holds)
