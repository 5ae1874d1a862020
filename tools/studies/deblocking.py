"""Measure what ``--deblock`` does to photos of known quality.

Photos are halved, which leaves nothing of the compression of their own files, and compressed.
For each quality it prints: median and largest blockiness; the share of photos that are changed;
the median blockiness afterwards; the PSNR to the photo before compression; mean, smallest and
largest gain in dB; the mean gain where the photo was saved as PNG; and seconds for a megapixel.
"""

import argparse
import glob
import io
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from spadepis.dataset.inputs.image_files import Extent
from spadepis.dataset.inputs.photos import Photo
from spadepis.deblocking.quantization import quantization_of
from spadepis.pipeline.stages.deblock import without_blocks
from spadepis.quality.appearance import blockiness

QUALITIES = (95, 90, 85, 75, 60, 50, 40, 30, 20)


def measure(paths: Sequence[str]) -> None:
    """Print the line of photos without compression, and that of each quality."""
    clean = [_halved(path) for path in paths]
    steps = [blockiness(picture) for picture in clean]
    kept = np.mean([_deblocked(picture) is picture for picture in clean])
    print(f"{len(clean)} photos; none: {np.median(steps):.2f} {max(steps):.2f} {1 - kept:.0%}")
    for quality in QUALITIES:
        print(quality, *_row(clean, quality))


def _row(clean: Sequence[NDArray[np.uint8]], quality: int) -> list[str]:
    before, after, psnr, gains, gains_of_png, changed = [], [], [], [], [], 0
    seconds, pixels = 0.0, 0
    for truth in clean:
        file = io.BytesIO()
        Image.fromarray(truth).save(file, "JPEG", quality=quality)
        image = Image.open(file)
        picture = np.asarray(image)
        photo = Photo(picture, Extent(truth.shape[:2]), quantization_of(image))
        start = time.process_time()
        result = without_blocks(photo)
        if result is not picture:
            seconds += time.process_time() - start
            pixels += truth[..., 0].size
            changed += 1
        before.append(blockiness(picture))
        after.append(blockiness(result))
        psnr.append(peak_signal_noise_ratio(truth, picture))
        gains.append(peak_signal_noise_ratio(truth, result) - psnr[-1])
        gains_of_png.append(peak_signal_noise_ratio(truth, _deblocked(picture)) - psnr[-1])
    return [
        f"{np.median(before):.2f} {max(before):.2f}",
        f"{changed / len(clean):.0%}",
        f"{np.median(after):.2f}",
        f"{np.mean(psnr):.1f}",
        f"{np.mean(gains):+.2f} {min(gains):+.2f} {max(gains):+.2f}",
        f"{np.mean(gains_of_png):+.2f}",
        f"({seconds / pixels * 1e6:.2f} s/MP)",
    ]


def _halved(path: str) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").reduce(2))


def _deblocked(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return without_blocks(Photo(picture, Extent(picture.shape[:2])))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(f"python -m {__spec__.name}", description=__doc__)
    parser.add_argument("photos", help="a glob")
    photos = sorted(glob.glob(parser.parse_args().photos))
    if not photos:
        parser.error("no file is like that glob")
    measure(photos)
