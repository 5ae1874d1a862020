"""Every stage on its own, without Ray: what it makes, and what it makes of bad input."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from spadepis.checkpoints.defaults import DEFAULT_SPADE_CHECKPOINT
from spadepis.dataset.encoding import decode
from spadepis.dataset.image_set.commit_log import read_commits, read_log
from spadepis.dataset.image_set.verification import verify
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.inputs.label_maps import resize_label_map
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import ADE20K, COCO_STUFF, LabelSpace, instance_edges
from spadepis.labels.translation import coco_stuff_classes
from spadepis.photowct import PhotoWCT
from spadepis.pipeline.ray.rows import from_table, to_table
from spadepis.pipeline.scene import Failure, Scene, Style
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.pipeline.stages.smooth import Smooth
from spadepis.pipeline.stages.stylize import Stylize
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.pipeline.stages.write import Write
from spadepis.quality.metrics import METRICS
from spadepis.smoothing import smooth
from spadepis.spade import SpadeGenerator

Stage = Callable[[list[Scene]], list[Scene]]


def through(stage: Stage, *scenes: Scene) -> list[Scene]:
    return stage([scene.copy() for scene in scenes])


def random_photo(height: int = 32, width: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 255, (4, 8, 3), dtype=np.uint8)
    resized = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def read(space: LabelSpace = COCO_STUFF, size: tuple[int, int] | None = (32, 64)) -> ReadScenes:
    return ReadScenes(space, size, longest_side=50, max_pixels=10_000)


def test_scenes_survive_the_table() -> None:
    full = Scene(
        "a\n../ü",
        [Style("s", "s.jpg"), Style(None, None)],
        mask_source="m.png",
        instance_source="i.png",
        photo_source="p.jpg",
        failures=[Failure(Style("t", None), "read", "f.png", "ValueError", "why")],
        label_map=np.arange(6, dtype=np.uint8).reshape(2, 3),
        edges=np.eye(2, 3, dtype=np.bool_),
        content=np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
        results=[np.full((2, 3, 3), i, np.uint8) for i in range(2)],
        quality=[dict.fromkeys(METRICS, 0.5), {**dict.fromkeys(METRICS), "clipped": 0.25}],
        seconds={"read": 0.25},
    )
    again, empty = from_table(to_table([full, Scene("b", [])]))
    for name in ("id", "styles", "failures", "mask_source", "photo_source", "quality", "seconds"):
        assert getattr(again, name) == getattr(full, name)
    for name in ("label_map", "edges", "content", "results"):
        np.testing.assert_array_equal(getattr(again, name), getattr(full, name))
    assert empty == Scene("b", [])


def test_reads_label_maps_and_edges_at_the_size_of_the_result(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).integers(0, 182, (11, 17), dtype=np.uint8)
    raw[0] = 255
    instances = np.arange(11 * 17).reshape(11, 17).astype(np.uint16) // 5
    Image.fromarray(raw).save(tmp_path / "m.png")
    Image.fromarray(instances).save(tmp_path / "i.png")
    scene = Scene(
        "m", [], mask_source=str(tmp_path / "m.png"), instance_source=str(tmp_path / "i.png")
    )
    (read_scene,) = through(read(), scene)
    expected = COCO_STUFF.decode(resize_label_map(raw, 32, 64))
    np.testing.assert_array_equal(read_scene.label_map, expected)
    np.testing.assert_array_equal(
        read_scene.edges, instance_edges(resize_label_map(instances, 32, 64))
    )
    assert read_scene.seconds["read"] > 0


def test_photos_keep_their_own_size_up_to_a_limit(tmp_path: Path) -> None:
    Image.fromarray(random_photo(40, 100)).save(tmp_path / "p.png")
    Image.fromarray(np.zeros((4, 10), np.uint8)).save(tmp_path / "m.png")
    scene = Scene(
        "p", [], photo_source=str(tmp_path / "p.png"), mask_source=str(tmp_path / "m.png")
    )
    (own,) = through(read(size=None), scene)
    assert own.content is not None and own.content.shape == (20, 50, 3)
    assert own.label_map is not None and own.label_map.shape == (20, 50)
    (fixed,) = through(read(size=(64, 32)), scene)
    assert fixed.content is not None and fixed.content.shape == (64, 32, 3)


def test_unreadable_inputs_fail_their_scene_alone(tmp_path: Path) -> None:
    def path(name: str) -> str:
        return str(tmp_path / name)

    good = np.zeros((4, 4), np.uint8)
    Image.fromarray(good).save(path("good.png"))
    Image.fromarray(good + 200).save(path("outside.png"))
    Image.fromarray(random_photo()).save(path("rgb.png"))
    Image.fromarray(np.zeros((101, 100), np.uint8)).save(path("large.png"))
    Image.fromarray(random_photo()[..., 0]).save(path("truncated.png"))
    Path(path("truncated.png")).write_bytes(Path(path("truncated.png")).read_bytes()[:200])
    Image.fromarray(good[:1, :1]).save(path("one.png"))
    names = ("good", "outside", "rgb", "large", "truncated", "missing", "one")
    styles = [Style("s", "s.jpg"), Style("t", "t.jpg")]
    scenes = [Scene(name, list(styles), mask_source=path(f"{name}.png")) for name in names]
    scenes.append(Scene("edges", list(styles), path("good.png"), path("none.png")))
    results = {scene.id: scene for scene in through(read(), *scenes)}

    for name in ("good", "one"):
        assert results[name].styles == styles
        assert results[name].failures == []
    reasons = {
        "outside": "coco-stuff: no class has the raw value 200",
        "rgb": "one channel of integers, this is a RGB image",
        "large": "100x101 is more than 10000 pixels",
        "truncated": "cannot be decoded",
        "missing": "cannot be read",
        "edges": "cannot be read",
    }
    for name, reason in reasons.items():
        assert results[name].styles == []
        assert [failure.style for failure in results[name].failures] == styles
        for failure in results[name].failures:
            file = path("none.png" if name == "edges" else f"{name}.png")
            assert (failure.stage, failure.source) == ("read", file)
            assert failure.message.startswith(f"{file}: ")
            assert reason in failure.message


@pytest.mark.parametrize("with_edges", [True, False])
def test_synthesizes_what_the_generator_gives(with_edges: bool, spade_checkpoint: str) -> None:
    labels = np.random.default_rng(0).integers(0, 183, (2, 32, 64), dtype=np.uint8)
    edges = labels > 90
    stage = Synthesize(spade_checkpoint, COCO_STUFF, "cpu", half=False)
    scenes = [
        Scene(
            str(i), [Style("s", "s")], label_map=labels[i], edges=edges[i] if with_edges else None
        )
        for i in range(2)
    ]
    failed = Scene("failed", [])
    results = through(stage, scenes[0], failed, scenes[1])
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)
    photos = generator(torch.from_numpy(labels), torch.from_numpy(edges) if with_edges else None)
    expected = ((photos + 1) / 2 * 255).permute(0, 2, 3, 1).numpy()
    for scene, levels in zip((results[0], results[2]), expected, strict=True):
        assert scene.content is not None and scene.content.dtype == np.uint8
        assert np.abs(scene.content - levels).max() <= 0.501
        assert scene.seconds["synthesize"] > 0
    assert results[1] == failed


def test_synthesizes_translated_classes_and_keeps_the_label_map(spade_checkpoint: str) -> None:
    labels = np.random.default_rng(0).integers(0, 151, (32, 32), dtype=np.uint8)
    classes = coco_stuff_classes(ADE20K)
    translated = np.array(classes, np.uint8)[labels]
    translating = Synthesize(spade_checkpoint, COCO_STUFF, "cpu", half=False, classes=classes)
    (scene,) = through(translating, Scene("a", [Style("s", "s")], label_map=labels))
    (expected,) = through(
        Synthesize(spade_checkpoint, COCO_STUFF, "cpu", half=False),
        Scene("a", [Style("s", "s")], label_map=translated),
    )
    assert scene.content is not None and scene.label_map is not None
    assert expected.content is not None
    assert (scene.content == expected.content).all()
    assert (scene.label_map == labels).all()


def test_another_content_seed_and_another_id_give_another_content() -> None:
    labels = np.full((32, 32), COCO_STUFF.names.index("grass"), np.uint8)

    def content(seed: int, id: str) -> NDArray[np.uint8]:
        checkpoint = DEFAULT_SPADE_CHECKPOINT
        stage = Synthesize(checkpoint, COCO_STUFF, "cpu", half=False, content_seed=seed)
        (scene,) = through(stage, Scene(id, [Style("s", "s")], label_map=labels))
        assert scene.content is not None
        return scene.content

    first = content(0, "a")
    assert (first == content(0, "a")).all()
    assert (first != content(1, "a")).any() and (first != content(0, "b")).any()


def test_stylizes_and_smooths_as_the_packages_do(photowct_checkpoint: str, tmp_path: Path) -> None:
    content = random_photo()
    for i in range(2):
        Image.fromarray(random_photo(48, 40, seed=i + 1)).save(tmp_path / f"{i}.png")
    styles = [Style(str(i), str(tmp_path / f"{i}.png")) for i in range(2)]
    stage = Stylize(photowct_checkpoint, "cpu", half=False, longest_side=44, max_pixels=10_000)
    (stylized,) = through(stage, Scene("a", styles, content=content))

    network = PhotoWCT.from_checkpoint(photowct_checkpoint)

    def tensor(photo: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(photo)).permute(2, 0, 1) / 255

    opened = [Image.open(tmp_path / f"{i}.png") for i in range(2)]
    small = [photo.resize((37, 44), Image.Resampling.BICUBIC) for photo in opened]
    expected = network.stylize(
        tensor(Image.fromarray(content)), [network.encode_style(tensor(photo)) for photo in small]
    )
    levels = expected.clamp(0, 1).mul(255).permute(0, 2, 3, 1).numpy()
    assert np.abs(np.stack(stylized.results) - levels).max() <= 0.501

    (smoothed,) = through(Smooth(), stylized)
    levels = smooth(content, np.stack(stylized.results)) * 255
    assert np.abs(np.stack(smoothed.results) - levels).max() <= 0.501
    assert set(smoothed.seconds) == {"stylize", "smooth"}


def test_bad_styles_fail_their_pairs_alone(photowct_checkpoint: str, tmp_path: Path) -> None:
    Image.fromarray(random_photo()).save(tmp_path / "good.png")
    Image.fromarray(random_photo(1, 1)).save(tmp_path / "tiny.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    names = ("broken", "good", "missing", "tiny")
    styles = [Style(name, str(tmp_path / f"{name}.png")) for name in names]
    stage = Stylize(photowct_checkpoint, "cpu", half=False, longest_side=512, max_pixels=10_000)
    (scene,) = through(stage, Scene("a", styles, content=random_photo()))
    assert [style.id for style in scene.styles] == ["good"]
    assert len(scene.results) == 1
    messages = {failure.style.id: failure.message for failure in scene.failures}
    assert messages["broken"].endswith("broken.png: not an image")
    assert "missing.png: cannot be read" in messages["missing"]
    assert "tiny.png: style of 1x1 is too small" in messages["tiny"]
    assert all(failure.stage == "stylize" for failure in scene.failures)


def test_content_too_small_to_stylize(photowct_checkpoint: str, tmp_path: Path) -> None:
    Image.fromarray(random_photo()).save(tmp_path / "s.png")
    style = Style("s", str(tmp_path / "s.png"))
    stage = Stylize(photowct_checkpoint, "cpu", half=False, longest_side=512, max_pixels=10_000)
    scene = Scene("a", [style], photo_source="a.png", content=random_photo(1, 1))
    (failed,) = through(stage, scene)
    assert (failed.styles, failed.results) == ([], [])
    assert failed.failures[0].source == "a.png"
    assert "a.png: content of 1x1 is too small" in failed.failures[0].message


def test_writes_images_then_commits_them(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    content = random_photo()
    label_map = np.full((32, 64), 182, np.uint8)
    scene = Scene(
        "m",
        [Style("s", "s.jpg"), Style("t", "t.jpg")],
        mask_source="m.png",
        failures=[Failure(Style("u", "u.jpg"), "stylize", "u.jpg", "ValueError", "why")],
        label_map=label_map,
        content=content,
        results=[content // 2, content // 3],
        seconds={"read": 0.3},
    )
    stage = Write(ImageSetWriter(folder, "png", 95), COCO_STUFF, keep_contents=True)
    (outcome,) = stage([scene])
    assert (outcome.done, outcome.failed, outcome.rejected, outcome.unexpected) == (2, 1, 0, [])
    assert "write" in outcome.seconds
    assert all(seconds > 0 for seconds in outcome.seconds.values())
    commits = read_commits(folder)
    assert [(commit.style_id, commit.failed) for commit in commits] == [
        ("s", False),
        ("t", False),
        ("u", True),
    ]
    assert all(commit.seconds["read"] == pytest.approx(0.1) for commit in commits)
    for commit, expected in zip(commits, scene.results, strict=False):
        assert commit.file_name is not None and commit.mask_file_name is not None
        np.testing.assert_array_equal(decode(folder.read(commit.file_name)), expected)
        # Unknown pixels have their raw value again.
        assert np.unique(decode(folder.read(commit.mask_file_name))).tolist() == [255]
        assert (commit.height, commit.width) == (32, 64)
    assert (commits[2].stage, commits[2].message) == ("stylize", "why")


def test_without_styles_the_content_is_the_result(tmp_path: Path) -> None:
    scene = Scene(
        "m",
        [Style(None, None)],
        mask_source="m.png",
        label_map=np.zeros((32, 64), np.uint8),
        content=random_photo(),
    )
    folder = Folder(str(tmp_path))
    Write(ImageSetWriter(folder, "png", 95), ADE20K, keep_contents=False)([scene])
    (commit,) = read_commits(folder)
    assert (commit.style_id, commit.content_file_name) == (None, None)
    assert commit.file_name is not None
    np.testing.assert_array_equal(decode(folder.read(commit.file_name)), scene.content)


@pytest.mark.parametrize("in_shards", [False, True], ids=["files", "shards"])
def test_results_keep_the_label_map_that_they_were_made_from(
    in_shards: bool, tmp_path: Path
) -> None:
    """The files of label maps and contents are shared by results, also by those of later runs."""
    folder = Folder(str(tmp_path))
    stage = Write(ImageSetWriter(folder, "png", 95, in_shards), COCO_STUFF, keep_contents=True)

    def write(style: str, label: int, instance: int = 0) -> None:
        scene = Scene("m", [Style(style, None)], mask_source="m.png", has_results=style != "first")
        scene.label_map = np.full((32, 64), label, np.uint8)
        scene.instances = np.full((32, 64), instance, np.uint8)
        scene.content = random_photo(seed=ord(style[0]))
        stage([scene])

    write("first", label=1)
    write("same", label=1)
    write("other map", label=2)
    write("other ids", label=1, instance=5)
    failed = {c.style_id: c for c in read_commits(folder) if c.failed}
    assert set(failed) == (set() if in_shards else {"other map", "other ids"})
    for commit in failed.values():
        assert (commit.stage, commit.error, commit.source) == ("write", "ChangedMap", "m.png")
    assert not [problem for found in verify(folder, read_log(folder)) for problem in found]
