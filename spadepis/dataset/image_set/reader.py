"""Reading an image set as a PyTorch dataset."""

from __future__ import annotations

import copy
import errno
import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset
from torchvision import tv_tensors

from spadepis.configuration import similar
from spadepis.dataset.encoding import DECODING_ERRORS, decode
from spadepis.dataset.image_set.index import read_metadata
from spadepis.dataset.image_set.layout import MANIFEST, METADATA, object_name
from spadepis.dataset.image_set.records import read_record
from spadepis.dataset.image_set.splits import TRAIN, VALIDATION, metadata_of_split
from spadepis.dataset.image_set.stored_images import read_image
from spadepis.dataset.storage.folder import Folder
from spadepis.filesystem_errors import reason
from spadepis.labels.training import TrainingLabels

Example = tuple[tv_tensors.Image, tv_tensors.Mask | None, *tuple[tv_tensors.Mask, ...]]


class ImageSet(Dataset[Example]):
    """The images of a finished job with their label maps, whether files or rows of shards.

    It can be sent to the workers of a ``DataLoader``, forked or spawned. A set without label maps
    gives None in their place, and a ``DataLoader`` batches of images alone.

    Args:
        uri: the output folder of the job, a local path or any fsspec URI.
        transforms: applied to image and label map together, e.g. from
            ``torchvision.transforms.v2``.
        cache: a local folder that keeps every file or shard that is read, for remote image sets.
            Several image sets and processes may share it.
        labels: values of the label maps: "raw", as the source dataset stores them, or "training",
            the indices of ``classes`` and ``ignore_index``.
        return_instances: whether each example has its instance map as a third part, which a job
            writes with ``--keep-instances``.
        split: "train" or "validation" for the images of that split of a set that was made with
            ``--split-by``. Default: all images.

    Attributes:
        table: the metadata, a row for each image.

    Raises:
        FileNotFoundError: the folder holds no finished image set.
        DamagedFileError: the metadata or the manifest are damaged.
        ValueError: training labels are asked for, and the classes of the set are not known; or
            instance maps or a split, and the set has none; or ``labels`` is neither of the two.
    """

    def __init__(
        self,
        uri: str,
        transforms: Callable[..., Any] | None = None,
        cache: str | None = None,
        labels: Literal["raw", "training"] = "raw",
        return_instances: bool = False,
        split: str | None = None,
    ) -> None:
        if labels not in ("raw", "training"):
            raise ValueError(f"labels is 'raw' or 'training', not {labels!r}")
        self._folder = Folder(str(uri))
        if not self._folder.exists(METADATA):
            raise FileNotFoundError(f"no image set in {self._folder.uri}: {METADATA} is missing")
        manifest = read_record(self._folder, MANIFEST) if self._folder.exists(MANIFEST) else {}
        name = self._metadata_of(split)
        hashes = manifest.get("sha256", {})
        self.table: pa.Table = read_metadata(self._folder, name, hashes.get(name))
        self.transforms = transforms
        self._labels = TrainingLabels.from_manifest(manifest)
        self._encoder = self.training_labels if labels == "training" else None
        self._return_instances = return_instances
        if return_instances and "instance_file_name" not in self.table.column_names:
            raise ValueError(
                f"{self._folder.uri} has no instance maps: a job writes them with --keep-instances"
            )
        self._cache: Folder | None = None
        if cache is not None:
            # A set that was made again under the same URI shares nothing with the old one.
            version = f"{self._folder.uri}\0{json.dumps(manifest)}\0".encode()
            key = hashlib.sha256(version + self._folder.read(METADATA))
            self._cache = Folder(f"{cache}/{key.hexdigest()[:32]}")

    def __repr__(self) -> str:
        counts = [f"{len(self)} images", f"{pc.count_distinct(self.table['mask_id'])} scenes"]
        if styles := pc.count_distinct(self.table["style_id"], mode="only_valid").as_py():
            counts.append(f"{styles} styles")
        name = "unknown classes" if self._labels is None else self._labels.label_space
        counts.append(f"label maps of {name}" if self._has_label_maps else "no label maps")
        return f"<ImageSet {self._folder.uri}: {', '.join(counts)}>"

    def _metadata_of(self, split: str | None) -> str:
        """Name of the file with the metadata of a split, or of all images.

        Raises:
            ValueError: the set does not have this split.
        """
        if split is None:
            return METADATA
        name = metadata_of_split(split)
        if not self._folder.exists(name):
            splits = [TRAIN, VALIDATION]
            found = [each for each in splits if self._folder.exists(metadata_of_split(each))]
            why = (
                f"it has only {' and '.join(found)}" if found else "it was made without --split-by"
            )
            raise ValueError(f"{self._folder.uri} has no split {split!r}: {why}")
        return name

    @property
    def classes(self) -> Sequence[str]:
        """Names of the classes by training index.

        Raises:
            ValueError: the classes of the set are not known.
        """
        return self.training_labels.classes

    @property
    def ignore_index(self) -> int:
        """The training index of pixels without a class, for the ``ignore_index`` of a loss."""
        return self.training_labels.ignore_index

    def where(self, expression: pc.Expression | None = None, **columns: Any) -> ImageSet:
        """The part of the set whose metadata match. No image is read.

        Args:
            expression: an expression of pyarrow, e.g. ``pyarrow.compute.field("height") >= 256``.
            columns: for columns of ``table``, the value, or a list or set of values one of which
                it must have. A column of lists must hold all: ``classes=["car", "road"]``.

        Raises:
            KeyError: there is no such column.
            ValueError: the label space has no class of this name.
        """
        table = self.table if expression is None else self.table.filter(expression)
        for name, value in columns.items():
            values = list(value) if isinstance(value, list | tuple | set) else [value]
            if name not in table.column_names:
                raise KeyError(f"no column {name!r}{similar(name, table.column_names, most=3)}")
            if name == "classes" and self._labels is not None:
                self._check_classes(values, self._labels)
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
            The image, uint8 [3,H,W], and the label map, uint8 [H,W], with raw values or training
            indices; None if the job had no label maps. With ``return_instances`` also the instance
            ids, int32 [H,W].

        Raises:
            IndexError: there is no such row.
            OSError: an image cannot be read or decoded.
        """
        row = {name: self.table[name][index].as_py() for name in self.table.column_names}
        image = tv_tensors.Image(torch.from_numpy(self._read(row["file_name"])).permute(2, 0, 1))
        example: Example = (image, None)
        if row.get("mask_file_name") is not None:
            label_map = self._read(row["mask_file_name"])
            if self._encoder is not None:
                label_map = self._encoder.encode(label_map)
            example = (image, tv_tensors.Mask(torch.from_numpy(label_map)))
        if self._return_instances:
            # Few operations of PyTorch take unsigned integers of 16 bits.
            ids = self._read(row["instance_file_name"]).astype(np.int32)
            example = (*example, tv_tensors.Mask(torch.from_numpy(ids)))
        return example if self.transforms is None else self.transforms(*example)

    def __getitems__(self, indices: Sequence[int]) -> Sequence[Any]:
        """The examples of a batch of a ``DataLoader``; without label maps, their images."""
        examples = [self[index] for index in indices]
        if self._has_label_maps:
            return examples
        # None cannot be part of a batch.
        return [e[0] if isinstance(e, tuple) and e[1:] == (None,) else e for e in examples]

    @property
    def _has_label_maps(self) -> bool:
        return "mask_file_name" in self.table.column_names

    @property
    def training_labels(self) -> TrainingLabels:
        """The classes of the label maps, their values and their training indices.

        Raises:
            ValueError: the classes of the set are not known.
        """
        if self._labels is None:
            raise ValueError(
                f"{self._folder.uri} does not say which classes its label maps have: it was made "
                "by version 0.1 in a label space of your own"
            )
        return self._labels

    def _check_classes(self, names: Sequence[Any], labels: TrainingLabels) -> None:
        for name in names:
            if name not in labels.names:
                hint = similar(str(name), labels.names, most=3)
                raise ValueError(f"{labels.label_space} has no class {name!r}{hint}")

    def _read(self, name: str) -> NDArray[Any]:
        folder = self._folder
        stored = object_name(name)
        if self._cache is not None:
            folder = self._cache
            if not folder.exists(stored):
                folder.write(stored, self._folder.read(stored))
        content = read_image(folder, name)
        try:
            return decode(content).copy()
        except DECODING_ERRORS as error:
            why = f"cannot be decoded ({reason(error)})"
            raise OSError(errno.EIO, why, f"{self._folder.uri}/{name}") from error


def _holds_all(lists: pa.ChunkedArray, values: list[Any]) -> pa.Array:
    """For each list, whether it holds all values."""
    holds = np.ones(len(lists), np.bool_)
    parents, members = pc.list_parent_indices(lists), pc.list_flatten(lists)
    for value in values:
        has = np.zeros(len(lists), np.bool_)
        has[parents.filter(pc.equal(members, value)).to_numpy()] = True
        holds &= has
    return pa.array(holds)
