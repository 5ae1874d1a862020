"""Instance maps beside results: the ids of the source, on the grid of the result."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import v2

from spadepis import ImageSet
from spadepis.dataset.encoding import decode
from spadepis.dataset.image_set.commit_log import read_commits, read_log
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.orphans import orphans
from spadepis.dataset.image_set.stored_images import read_image
from spadepis.dataset.image_set.verification import verify
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.inputs.label_maps import resize_label_map
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import ADE20K, COCO_STUFF, LabelSpace, instance_edges
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.padding import padded
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.pipeline.stages.write import Write
from tests.truth.photo_cases import turned

HEIGHT, WIDTH = 45, 70
SMALL = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) // 99).astype(np.uint8)
# Ids as Cityscapes has them, a thousand to each class.
LARGE = SMALL.astype(np.uint16) * 1000 + 26
BOTH: tuple[NDArray[np.integer], ...] = (SMALL, LARGE)


def scene(folder: Path, ids: NDArray[np.integer], orientation: int | None = None) -> Scene:
    """A scene whose maps are files, with a photo if an orientation is given."""
    generator = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    Image.fromarray(generator.integers(0, 150, ids.shape, np.uint8)).save(folder / "m.png")
    Image.fromarray(ids).save(folder / f"i.{'tif' if ids.dtype == np.int32 else 'png'}")
    (instances,) = folder.glob("i.*")
    scene = Scene("m", [Style(None, None)], str(folder / "m.png"), str(instances))
    if orientation is None:
        return scene
    exif = Image.Exif()
    exif[274] = orientation
    photo = Image.fromarray(generator.integers(0, 255, (*ids.shape, 3), np.uint8))
    photo.save(folder / "p.png", exif=exif)
    return replace(scene, photo_source=str(folder / "p.png"))


def read(
    scene: Scene,
    size: tuple[int, int] | None,
    space: LabelSpace = COCO_STUFF,
    longest_side: int | None = None,
) -> Scene:
    stage = ReadScenes(space, size, longest_side, max_pixels=10**5, keep_instances=True)
    (found,) = stage([scene])
    return found


@pytest.mark.parametrize("ids", [SMALL, LARGE, LARGE.astype(np.int32)], ids=["8", "16", "32"])
def test_ids_of_the_source_on_the_grid_of_the_result(
    ids: NDArray[np.integer], tmp_path: Path
) -> None:
    source = read(scene(tmp_path / "a", ids), None)
    assert source.instances is not None and source.edges is not None
    np.testing.assert_array_equal(source.instances, ids)
    np.testing.assert_array_equal(source.edges, instance_edges(padded(ids)))
    assert source.instances.dtype == (np.uint8 if ids.max() < 256 else np.uint16)
    for size, longest in (((32, 64), None), (None, 35)):
        shrunk = read(scene(tmp_path / "a", ids), size, longest_side=longest)
        assert shrunk.instances is not None and shrunk.label_map is not None
        np.testing.assert_array_equal(
            shrunk.instances, resize_label_map(ids, *shrunk.label_map.shape)
        )


def test_a_label_space_without_instance_edges(tmp_path: Path) -> None:
    found = read(scene(tmp_path, SMALL), None, ADE20K)
    assert found.edges is None and found.failures == []
    np.testing.assert_array_equal(np.asarray(found.instances), SMALL)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_maps_of_a_turned_photo_are_turned_with_it(orientation: int, tmp_path: Path) -> None:
    given = scene(tmp_path, LARGE, orientation)
    stage = ReadScenes(COCO_STUFF, None, None, 10**5, keep_instances=True)
    if orientation in (2, 3, 4):
        stage = replace(stage, conventions=replace(stage.conventions, grid="stored"))
    (found,) = stage([given])
    assert found.instances is not None and found.label_map is not None
    np.testing.assert_array_equal(found.instances, turned(LARGE, orientation))
    assert found.label_map.shape == found.instances.shape


@pytest.mark.parametrize("ids", [LARGE.astype(np.int32) * 3, LARGE.astype(np.int32) - 27])
def test_ids_that_no_png_holds_fail_the_scene(ids: NDArray[np.integer], tmp_path: Path) -> None:
    (failure,) = read(scene(tmp_path, ids), None).failures
    assert failure.source is not None and failure.source.endswith("i.tif")
    assert "its ids go from" in failure.message and "0 to 65535" in failure.message


@pytest.mark.parametrize("in_shards", [False, True], ids=["files", "shards"])
def test_written_verified_and_read_back(in_shards: bool, tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "out"))
    stage = Write(ImageSetWriter(folder, "png", 95, in_shards), COCO_STUFF, keep_contents=True)
    scenes = []
    for i, ids in enumerate(BOTH):
        found = read(scene(tmp_path / str(i), ids), None)
        content = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        styles = [Style("a", "a.jpg"), Style("b", "b.jpg")]
        scenes.append(
            replace(found, id=str(i), styles=styles, content=content, results=[content] * 2)
        )
    stage(scenes)
    log = read_log(folder)
    assert orphans(folder, log) == [] and list(chain.from_iterable(verify(folder, log))) == []
    write_index(folder, log, {}, {})
    for commit in read_commits(folder):
        assert commit.instance_file_name is not None
        assert in_shards or commit.instance_file_name.startswith("instances/")
        stored = decode(read_image(folder, commit.instance_file_name))
        np.testing.assert_array_equal(stored, BOTH[int(commit.mask_id)])
    images = ImageSet(folder.uri, v2.RandomHorizontalFlip(p=1), return_instances=True)
    assert len(images) == 4
    for index, mask_id in enumerate(images.table["mask_id"].to_pylist()):
        _, mask, instances = images[index]
        assert mask is not None and instances is not None and mask.shape == instances.shape
        np.testing.assert_array_equal(instances.flip(-1), BOTH[int(mask_id)])
    # An instance map that another program replaced is found.
    if not in_shards:
        name = str(read_commits(folder)[0].instance_file_name)
        Image.fromarray(SMALL[:9]).save(tmp_path / "out" / name)
        problems = list(chain.from_iterable(verify(folder, log)))
        assert {problem.name for problem in problems} == {name} and len(problems) == 2


def test_a_set_without_instance_maps_says_so(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write_index(folder, read_log(folder), {}, {})
    with pytest.raises(ValueError, match="no instance maps: a job writes them with --keep-inst"):
        ImageSet(folder.uri, return_instances=True)
