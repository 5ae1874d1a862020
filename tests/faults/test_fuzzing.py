"""Damaged files of every kind raise what their readers say they raise, and nothing else."""

import io
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.reading import read_state_dict
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.dataset.inputs.photos import read_photo
from tests.support.bad_inputs import JPEG, LABELS, PHOTO, PNG, WEBP, frames, save

FEW, MANY = 300, 10_000
MOST_PIXELS = 100_000
SIXTEEN_BITS = Image.fromarray(LABELS.astype(np.uint16) * 300)
EXIF = Image.Exif()
EXIF[0x0112] = 6
IMAGES = [
    PNG,
    JPEG,
    WEBP,
    frames([5, 7]),
    save(Image.fromarray(PHOTO), "BMP"),
    save(Image.fromarray(LABELS), "PPM"),
    save(SIXTEEN_BITS, "PNG"),
    save(Image.fromarray(PHOTO).convert("CMYK"), "JPEG", exif=EXIF),
    save(Image.fromarray(LABELS).convert("P"), "PNG", transparency=3),
    *(
        save(Image.fromarray(LABELS), "TIFF", compression=compression)
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
    ),
]
examples = pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.faults)])

# Pillow and PyTorch say on the way what they find odd.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@st.composite
def damaged(draw: DrawFn, originals: Sequence[bytes]) -> bytes:
    """Bytes of which some were overwritten, left out or put in, and perhaps the end cut off."""
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(content)))
        end = start + draw(st.integers(0, 8))
        content[start:end] = draw(st.binary(max_size=8))
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content)


def fuzz(examples: int, originals: Sequence[bytes], check: Callable[[bytes], object]) -> None:
    """Call ``check`` with damaged files and with noise; the few examples are always the same."""

    @settings(max_examples=examples, deadline=None, database=None, derandomize=examples == FEW)
    @given(st.one_of(damaged(originals), st.binary(max_size=200)))
    def run(content: bytes) -> None:
        check(content)

    run()


def tar_of(*images: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for i, image in enumerate(images):
            member = tarfile.TarInfo(f"{'é' * 60}{i}.png")
            member.size = len(image)
            tar.addfile(member, io.BytesIO(image))
    return buffer.getvalue()


def parquet_of(*images: bytes) -> bytes:
    buffer = io.BytesIO()
    cells = [{"bytes": image, "path": f"{i}.png"} for i, image in enumerate(images)]
    pq.write_table(pa.table({"image": cells}), buffer, row_group_size=2)
    return buffer.getvalue()


def torch_file_of(*tensors: torch.Tensor, zipped: bool) -> bytes:
    buffer = io.BytesIO()
    weights = {f"layer{i}.weight": tensor for i, tensor in enumerate(tensors)}
    torch.save(weights, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@examples
def test_images(examples: int, tmp_path: Path) -> None:
    path = tmp_path / "image.png"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(UnreadableImageError):
            assert read_photo(str(path), MOST_PIXELS).shape[2:] == (3,)
        with suppress(UnreadableImageError):
            assert read_label_map(str(path), MOST_PIXELS).ndim == 2

    fuzz(examples, IMAGES, check)


@examples
@pytest.mark.parametrize("suffix", ["tar", "parquet"])
def test_shards(suffix: str, examples: int, tmp_path: Path) -> None:
    make = {"tar": tar_of, "parquet": parquet_of}[suffix]
    # Readers keep what they know of a shard by its name.
    names = count()

    def check(content: bytes) -> None:
        path = tmp_path / f"{next(names)}.{suffix}"
        path.write_bytes(content)
        with suppress(SourceError):
            for source in list_images(str(path)).images.values():
                with suppress(UnreadableImageError):
                    read_photo(source, MOST_PIXELS)
        path.unlink()

    fuzz(examples, [make(PNG), make(PNG, JPEG, PNG)], check)


@examples
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_checkpoints(suffix: str, examples: int, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    tensors = torch.arange(6.0).reshape(2, 3), torch.ones(4, dtype=torch.float16)
    if suffix == "pth":
        originals = [torch_file_of(*tensors, zipped=zipped) for zipped in (True, False)]
    else:
        originals = [safetensors.torch.save({"a.weight": tensors[0], "b.bias": tensors[1]})]

    def check(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(CheckpointError):
            read_state_dict(str(path))

    fuzz(examples, originals, check)
