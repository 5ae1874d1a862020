"""Clean pictures, and what JPEG makes of them."""

import io
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
STYLES = Path(str(files("spadepis"))) / "demo" / "inputs" / "styles"


def clean_pictures() -> Sequence[Picture]:
    """Pictures without traces of compression, 256x192: those of the demonstration, shrunk."""
    pictures = []
    for path in sorted(STYLES.glob("*.jpg")):
        with Image.open(path) as image:
            pictures.append(np.asarray(image.convert("RGB").reduce(2)))
    assert len(pictures) == 8
    return pictures


def jpeg(picture: Picture, quality: int, sampling: str = "4:2:0") -> bytes:
    """A picture as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=sampling)
    return file.getvalue()


def compress(picture: Picture, quality: int) -> Picture:
    """A picture as it comes back from a JPEG file."""
    with Image.open(io.BytesIO(jpeg(picture, quality))) as image:
        return np.asarray(image)


def psnr(picture: Picture, truth: Picture) -> float:
    """Peak signal-to-noise ratio in dB."""
    return float(10 * np.log10(255**2 / np.square(picture.astype(float) - truth).mean()))
