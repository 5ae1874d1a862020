"""Files of which a decoder would make other pixels than were written, without saying so."""

from __future__ import annotations

import numpy as np
from PIL import Image

from spadepis.dataset.inputs import png
from spadepis.dataset.inputs.containers import ImageFile
from spadepis.dataset.inputs.image_files import RefusedImageError


def check_integrity(image: Image.Image, file: ImageFile) -> None:
    """Check that the pixels of an opened image, which is decoded, are those of its file.

    Raises:
        RefusedImageError: the file is sound, but its decoder does not know how it is stored.
        OSError: the file is damaged.
        Exception: what a decoder raises.
    """
    if file.refusal is not None:
        raise RefusedImageError(file.refusal)
    image.load()
    if file.damage is not None:
        raise OSError(file.damage)
    if file.format == "PNG" and not _has_all_rows(image, file):
        raise OSError("image file is truncated: it has fewer rows than its header says")


def _has_all_rows(image: Image.Image, file: ImageFile) -> bool:
    """Whether a PNG file has all of its rows.

    Missing ones come out as zero. It takes long to decompress the file again, so that is only done
    where the last row is zero, or is not the last one stored.
    """
    last_row = np.asarray(image.crop((0, image.height - 1, image.width, image.height)))
    if last_row.any() and not png.is_interlaced(file.content):
        return True
    return png.has_all_rows(file.content, image.width, image.height)
