"""Results of the size of their label map."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from spadepis.configuration import ConfigurationError
from spadepis.labels import COCO_STUFF, instance_edges
from spadepis.pipeline.config.identity import identify
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import resolve
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.padding import padded
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.pipeline.stages.synthesize import Synthesize

STYLES = [Style(None, None)]


def scene(id: str, height: int, width: int) -> Scene:
    label_map = np.random.default_rng(0).integers(0, 183, (height, width), dtype=np.uint8)
    return Scene(id, STYLES, label_map=label_map, edges=instance_edges(padded(label_map)))


@pytest.fixture
def synthesize(spade_checkpoint: str) -> Synthesize:
    return Synthesize(spade_checkpoint, COCO_STUFF, "cpu", half=False)


def test_photos_have_the_sizes_of_their_label_maps(synthesize: Synthesize) -> None:
    sizes = [(33, 64), (64, 95), (64, 64), (1, 40)]
    scenes = [scene(str(i), *size) for i, size in enumerate(sizes)]
    found = synthesize(scenes)
    # In the order in which they came, whatever the batches were.
    assert [each.id for each in found] == ["0", "1", "2", "3"]
    assert [each.content.shape[:2] for each in found if each.content is not None] == sizes


def test_the_border_of_a_label_map_is_repeated(synthesize: Synthesize) -> None:
    small = scene("small", 40, 50)
    assert small.label_map is not None
    label_map = np.pad(small.label_map, [(0, 24), (0, 14)], mode="edge")
    large = Scene("large", STYLES, label_map=label_map, edges=instance_edges(label_map))
    found = synthesize([small, large])
    small_photo, large_photo = (each.content for each in found)
    assert small_photo is not None and large_photo is not None
    np.testing.assert_array_equal(small_photo, large_photo[:40, :50])


def test_a_frame_is_filled_before_the_border_is_repeated(
    synthesize: Synthesize, tmp_path: Path
) -> None:
    path = tmp_path / "filling.safetensors"
    weights = {key: value.contiguous() for key, value in synthesize.generator.state_dict().items()}
    safetensors.torch.save_file(weights, path, {"unlabelled_frame": "filled"})
    label_map = np.full((150, 130), COCO_STUFF.names.index("grass"), np.uint8)
    framed = np.full_like(label_map, COCO_STUFF.names.index("unknown"))
    framed[2:-2, 2:-2] = label_map[2:-2, 2:-2]
    maps = {"whole": label_map, "framed": framed}
    photos = [
        each.content
        for each in Synthesize(str(path), COCO_STUFF, "cpu", half=False)(
            [
                Scene(name, STYLES, label_map=labels, edges=instance_edges(padded(labels)))
                for name, labels in maps.items()
            ]
        )
    ]
    assert photos[0] is not None and photos[1] is not None
    np.testing.assert_array_equal(photos[0], photos[1])


def test_edges_are_those_of_the_padded_instance_map(synthesize: Synthesize, tmp_path: Path) -> None:
    """An edge on the last row stays one row, rather than the border that is repeated."""
    path = tmp_path / "filling.safetensors"
    weights = {key: value.contiguous() for key, value in synthesize.generator.state_dict().items()}
    safetensors.torch.save_file(weights, path, {"unlabelled_frame": "filled"})
    label_map = np.full((150, 130), COCO_STUFF.names.index("grass"), np.uint8)
    instances = np.zeros_like(label_map)
    instances[-1] = 1
    edges = instance_edges(padded(instances))
    stage = Synthesize(str(path), COCO_STUFF, "cpu", half=False)
    labels, own = stage._semantics(Scene("a", STYLES, label_map=label_map, edges=edges))
    np.testing.assert_array_equal(labels, padded(label_map))
    np.testing.assert_array_equal(own, edges)


def test_a_batch_holds_scenes_of_equal_padded_size(
    synthesize: Synthesize, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize.batch = 16
    shapes = []
    generator = synthesize.generator

    def counted(labels: Tensor, edges: Tensor | None, seeds: Tensor) -> Tensor:
        shapes.append(tuple(labels.shape))
        return torch.zeros(len(labels), 3, *labels.shape[1:])

    monkeypatch.setattr(synthesize, "generator", counted)
    sizes = [(33, 64), (20, 20), (64, 60), (32, 32)]
    synthesize([scene(str(i), *size) for i, size in enumerate(sizes)])
    assert sorted(shapes) == [(2, 32, 32), (2, 64, 64)]
    assert generator is not None


@pytest.mark.parametrize(("longest", "size"), [(None, (90, 120)), (60, (45, 60)), (500, (90, 120))])
def test_label_maps_are_read_at_their_size_or_shrunk(
    longest: int | None, size: tuple[int, int], tmp_path: Path
) -> None:
    values = np.random.default_rng(1).integers(0, 182, (90, 120), dtype=np.uint8)
    instances = (np.arange(90 * 120).reshape(90, 120) // 600).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(instances).save(tmp_path / "instances.png")
    read = ReadScenes(COCO_STUFF, None, longest, max_pixels=10**6)
    given = Scene("a", STYLES, str(tmp_path / "a.png"), str(tmp_path / "instances.png"))
    (found,) = read([given])
    assert found.failures == []
    assert found.label_map is not None and found.edges is not None
    assert found.label_map.shape == size
    assert found.edges.shape == padded(found.label_map).shape
    if size == (90, 120):
        np.testing.assert_array_equal(found.label_map, values)
        # An edge between the last two rows is not repeated into the padding.
        np.testing.assert_array_equal(found.edges, instance_edges(padded(instances)))
    else:
        assert set(np.unique(found.label_map)) <= set(np.unique(values))


def config(job: Job, tmp_path: Path, make_label_maps: Callable[..., str], **settings: Any) -> Any:
    folder = tmp_path / "in"
    given = folder if folder.exists() else make_label_maps(folder)
    inputs = {"photos": str(given), "styles": str(given)}
    inputs = inputs if job is Job.STYLIZE else {"masks": str(given)}
    return resolve(job, {"output": str(tmp_path / "out"), **inputs, **settings})


def test_settings(make_label_maps: Callable[..., str], tmp_path: Path) -> None:
    def found(job: Job, **settings: Any) -> tuple[Any, Any]:
        resolved = config(job, tmp_path, make_label_maps, **settings)
        return resolved.size, resolved.longest_side

    assert found(Job.SYNTHESIZE) == ((256, 256), None)
    assert found(Job.SYNTHESIZE, size="source") == (None, None)
    assert found(Job.SYNTHESIZE, size="source", longest_side=640) == (None, 640)
    assert found(Job.STYLIZE) == found(Job.STYLIZE, size="source") == (None, 1024)
    with pytest.raises(ConfigurationError, match="--longest-side goes with --size source"):
        found(Job.SYNTHESIZE, longest_side=640)
    assert found(Job.SYNTHESIZE, size="300x100") == ((100, 300), None)


def test_the_size_is_part_of_the_identity(
    make_label_maps: Callable[..., str], tmp_path: Path
) -> None:
    def identity(**settings: Any) -> dict[str, Any]:
        return identify(config(Job.SYNTHESIZE, tmp_path, make_label_maps, **settings), [])

    source = identity(size="source")
    assert source["size"] == "source" and source["longest_side"] is None
    assert identity(size="source", longest_side=640)["longest_side"] == 640
    assert "longest_side" not in identity(size="64x64")
