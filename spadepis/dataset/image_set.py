"""Reading an image set as a PyTorch dataset."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from spadepis.dataset.folder import Folder
from spadepis.dataset.images import decode
from spadepis.dataset.index import METADATA

Example = tuple[tv_tensors.Image, tv_tensors.Mask | None]


class ImageSet(Dataset[Example]):
    """The images of a finished job with their label maps.

    Args:
        uri: the output folder of the job, a local path or any fsspec URI.
        transforms: applied to image and label map together, e.g. from
            ``torchvision.transforms.v2``.

    Raises:
        FileNotFoundError: no finished image set is there.
    """

    def __init__(self, uri: str, transforms: Callable[..., Any] | None = None) -> None:
        self._folder = Folder(str(uri))
        if not self._folder.exists(METADATA):
            raise FileNotFoundError(f"no image set in {self._folder.uri}: {METADATA} is missing")
        self.table: pa.Table = pq.read_table(io.BytesIO(self._folder.read(METADATA)))
        self.transforms = transforms

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, index: int) -> Example:
        """Image and label map of a row of ``table``.

        Returns:
            The image, uint8 [3,H,W], and the label map, uint8 [H,W], with the values that the
            source dataset stores in its files; None where the job had no label maps.
        """
        row = {name: self.table[name][index].as_py() for name in self.table.column_names}
        image = torch.from_numpy(self._read(row["file_name"])).permute(2, 0, 1)
        example = (tv_tensors.Image(image), None)
        if row.get("mask_file_name") is not None:
            mask = torch.from_numpy(self._read(row["mask_file_name"]))
            example = (tv_tensors.Image(image), tv_tensors.Mask(mask))
        return example if self.transforms is None else self.transforms(*example)

    def _read(self, name: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return decode(self._folder.read(name)).copy()
