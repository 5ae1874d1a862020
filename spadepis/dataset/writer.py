"""Writing the images of an image set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spadepis.dataset.folder import Folder
from spadepis.dataset.images import encode_jpeg, encode_png
from spadepis.dataset.names import content_name, image_name, label_map_name


@dataclass(frozen=True)
class ImageSetWriter:
    """Encodes images and publishes them under their names; every method returns the name.

    Attributes:
        folder: the image set.
        suffix: "jpg" or "png".
        quality: of JPEG files, 1 to 100.
    """

    folder: Folder
    suffix: str
    quality: int

    def write_image(self, mask_id: str, style_id: str | None, image: NDArray[np.uint8]) -> str:
        """Write a result, uint8 [H,W,3]."""
        return self._write(image_name(mask_id, style_id, self.suffix), image)

    def write_content(self, mask_id: str, image: NDArray[np.uint8]) -> str:
        """Write the photo that a mask's results were stylized from, uint8 [H,W,3]."""
        return self._write(content_name(mask_id, self.suffix), image)

    def write_label_map(self, mask_id: str, label_map: NDArray[np.uint8]) -> str:
        """Write a label map at the size of the results, uint8 [H,W], losslessly."""
        name = label_map_name(mask_id)
        self.folder.write(name, encode_png(label_map))
        return name

    def _write(self, name: str, image: NDArray[np.uint8]) -> str:
        jpeg = self.suffix == "jpg"
        self.folder.write(name, encode_jpeg(image, self.quality) if jpeg else encode_png(image))
        return name
