"""Decoding of every kind of file a user may have, and encoding."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spadepis.dataset.encoding import decode, encode_jpeg, encode_png
from spadepis.dataset.inputs.image_files import UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_label_map, resize_label_map
from spadepis.dataset.inputs.photos import limit_longest_side, read_photo, resize_photo

LIMIT = 1_000_000


@pytest.fixture
def gradient() -> NDArray[np.uint8]:
    ramp = np.linspace(0, 255, 40 * 30).reshape(40, 30)
    return np.stack([ramp, ramp[::-1], np.full_like(ramp, 90)], axis=2).astype(np.uint8)


def save(path: Path, image: Image.Image, **options: Any) -> str:
    image.save(path, **options)
    return str(path)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "CMYK", "1", "I;16"])
def test_photos_of_every_mode_become_rgb(
    mode: str, gradient: NDArray[np.uint8], tmp_path: Path
) -> None:
    if mode == "I;16":
        grey = np.asarray(Image.fromarray(gradient).convert("L"))
        image = Image.fromarray(grey.astype(np.uint16) << 8)
    else:
        grey = np.asarray(Image.fromarray(gradient).convert("L"))
        image = Image.fromarray(gradient).convert(mode)
    suffix = "jpg" if mode == "CMYK" else "png"
    photo = read_photo(save(tmp_path / f"photo.{suffix}", image), LIMIT)
    assert photo.shape == (40, 30, 3)
    assert photo.dtype == np.uint8
    if mode in ("L", "LA", "I;16"):
        assert np.array_equal(photo, np.stack([grey] * 3, axis=2))
    if mode == "RGBA":
        assert np.array_equal(photo, gradient)
    if mode == "CMYK":
        assert np.abs(photo.astype(int) - gradient).mean() < 10


def test_exif_orientation_is_applied(gradient: NDArray[np.uint8], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "photo.png", Image.fromarray(gradient), exif=exif)
    assert np.array_equal(read_photo(path, LIMIT), np.rot90(gradient, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_label_maps_keep_their_values(dtype: type, tmp_path: Path) -> None:
    top = min(int(np.iinfo(dtype).max), 33_000)
    values = np.arange(12).reshape(3, 4) * (top // 11)
    image = Image.fromarray(values.astype(dtype))
    suffix = "tif" if dtype is np.int32 else "png"
    assert np.array_equal(read_label_map(save(tmp_path / f"m.{suffix}", image), LIMIT), values)


def test_palette_label_maps_give_their_indices(tmp_path: Path) -> None:
    image = Image.new("P", (3, 2))
    image.putpalette([200, 10, 10] * 256)
    image.putdata([5, 4, 3, 2, 1, 255])
    path = save(tmp_path / "map.png", image)
    assert read_label_map(path, LIMIT).tolist() == [[5, 4, 3], [2, 1, 255]]


def test_what_is_no_label_map(gradient: NDArray[np.uint8], tmp_path: Path) -> None:
    path = save(tmp_path / "map.png", Image.fromarray(gradient))
    with pytest.raises(UnreadableImageError, match="one channel of integers, this is a RGB image"):
        read_label_map(path, LIMIT)


def test_unreadable_files_name_the_file_and_the_reason(
    gradient: NDArray[np.uint8], tmp_path: Path
) -> None:
    good = encode_jpeg(gradient, 95)
    cases = {
        "empty.jpg": (b"", "not an image"),
        "text.jpg": (b"hello", "not an image"),
        "truncated.jpg": (good[: len(good) // 2], "cannot be decoded"),
        "truncated.png": (encode_png(gradient)[:200], "cannot be decoded"),
    }
    for name, (content, reason) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableImageError, match=f"{name}: {reason}"):
            read_photo(str(tmp_path / name), LIMIT)
    with pytest.raises(UnreadableImageError, match="none.jpg: cannot be read"):
        read_photo(str(tmp_path / "none.jpg"), LIMIT)


def test_large_images_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("L", (5000, 5000)).save(buffer, "PNG")
    path = tmp_path / "large.png"
    # Half of the file is enough to know its size.
    path.write_bytes(buffer.getvalue()[:1000])
    with pytest.raises(UnreadableImageError, match="5000x5000 is more than 1000000 pixels"):
        read_label_map(str(path), LIMIT)


def test_encoding_round_trips(gradient: NDArray[np.uint8]) -> None:
    assert np.array_equal(decode(encode_png(gradient)), gradient)
    assert np.array_equal(decode(encode_png(gradient[..., 0])), gradient[..., 0])
    error = decode(encode_jpeg(gradient, 95)).astype(float) - gradient
    assert np.sqrt((error**2).mean()) < 2


def test_resizing(gradient: NDArray[np.uint8]) -> None:
    assert np.array_equal(
        resize_label_map(np.arange(16).reshape(4, 4).astype(np.uint8), 2, 2), [[5, 7], [13, 15]]
    )
    assert resize_label_map(np.array([[700]], np.uint16), 2, 3).tolist() == [[700] * 3] * 2
    assert resize_photo(gradient, 20, 20).shape == (20, 20, 3)
    assert limit_longest_side(gradient, 20).shape == (20, 15, 3)
    assert limit_longest_side(gradient, 40) is gradient
    assert limit_longest_side(np.zeros((1, 3000, 3), np.uint8), 100).shape == (1, 100, 3)
