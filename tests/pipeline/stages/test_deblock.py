"""Which photos a job deblocks, and by how much."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadepis.dataset.inputs.photos import read_photo_with_extent
from spadepis.deblocking.shifted_dct import deblock
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.deblock import without_blocks
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.quality.appearance import blockiness
from tests.support.pictures import Picture, clean_pictures, compress, jpeg, psnr

ORIENTATION = 0x0112


def deblocked(file: Path) -> Picture:
    return without_blocks(read_photo_with_extent(str(file), 10**6))


def read(file: Path, deblock: bool) -> Picture:
    stage = ReadScenes(COCO_STUFF, None, None, 10**6, deblock=deblock)
    scene = Scene("a", [Style("s", "s.png")], photo_source=str(file))
    (scene,) = stage([scene])
    assert scene.content is not None
    return scene.content


def test_clean_photos_stay_as_they_are(tmp_path: Path) -> None:
    for picture in clean_pictures():
        Image.fromarray(picture).save(tmp_path / "a.png")
        np.testing.assert_array_equal(deblocked(tmp_path / "a.png"), picture)


@pytest.mark.parametrize("quality", [20, 50, 80])
def test_a_jpeg_is_deblocked_by_its_own_tables(quality: int, tmp_path: Path) -> None:
    for picture in clean_pictures():
        (tmp_path / "a.jpg").write_bytes(jpeg(picture, quality))
        photo = read_photo_with_extent(str(tmp_path / "a.jpg"), 10**6)
        assert photo.quantization is not None
        result = without_blocks(photo)
        if blockiness(photo.pixels) > 0.25:
            np.testing.assert_array_equal(result, deblock(photo.pixels, photo.quantization))
        else:
            np.testing.assert_array_equal(result, photo.pixels)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("quality", [20, 35, 50, 75])
def test_a_photo_that_was_cropped_and_saved_again(
    quality: int, suffix: str, tmp_path: Path
) -> None:
    gains = []
    for picture in clean_pictures():
        compressed = compress(picture, quality)[3:, 5:]
        Image.fromarray(compressed).save(tmp_path / f"a.{suffix}", quality=98)
        result = deblocked(tmp_path / f"a.{suffix}")
        before = blockiness(compressed)
        assert blockiness(result) <= max(0.26, before / 4)
        gains.append(psnr(result, picture[3:, 5:]) - psnr(compressed, picture[3:, 5:]))
    assert min(gains) > -0.1
    assert np.mean(gains) > 0.2


def test_a_photo_that_is_turned_for_display_is_deblocked_as_displayed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    picture = Image.fromarray(clean_pictures()[4])
    picture.save(tmp_path / "a.jpg", quality=40, subsampling="4:2:2", exif=exif)
    photo = read_photo_with_extent(str(tmp_path / "a.jpg"), 10**6)
    assert photo.quantization is not None
    assert photo.quantization.sampling == (2, 1)
    assert blockiness(without_blocks(photo)) < 0.25 < blockiness(photo.pixels)


def test_the_job_deblocks_only_if_asked(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg(clean_pictures()[4], 40))
    np.testing.assert_array_equal(read(file, deblock=False), np.asarray(Image.open(file)))
    np.testing.assert_array_equal(read(file, deblock=True), deblocked(file))
