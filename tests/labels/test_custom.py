"""Label spaces from YAML files, alone and as settings of jobs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor

import spadepis.labels.custom
from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import read_commits
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF, LABEL_SPACES, LabelSpace
from spadepis.labels.custom import find_label_space, read_label_space
from spadepis.pipeline.assembly import assemble
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.identity import identify
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig, resolve
from spadepis.pipeline.planning.inputs import list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan
from spadepis.pipeline.resources.trial import seconds_per_scene
from spadepis.training.config import TrainSpadeConfig
from spadepis.training.photos import list_pairs

STREETS = {
    "name": "my-streets",
    "size": "64x32",
    "instance_edges": True,
    "unknown": 255,
    "classes": [
        {"name": "road", "value": 1, "colour": [128, 64, 128]},
        {"name": "sky", "value": 7},
        {"name": "on", "value": 0},
    ],
}


def planned(config: JobConfig) -> Plan:
    return make_plan(config, list_inputs(config))


def write(path: Path, **changes: Any) -> str:
    path.write_text(yaml.safe_dump({**STREETS, **changes}))
    return str(path)


def test_everything_comes_from_the_file(tmp_path: Path) -> None:
    space = read_label_space(write(tmp_path / "streets.yaml"))
    assert (space.name, space.size) == ("my-streets", (32, 64))
    assert space.names == ("road", "sky", "on", "unknown")
    assert space.raw_values == (1, 7, 0, 255)
    assert (space.num_classes, space.semantic_channels) == (4, 5)
    # The second and the third colour of PASCAL VOC, those of bicycle and bird.
    assert space.colours.tolist() == [[128, 64, 128], [0, 128, 0], [128, 128, 0], [0, 0, 0]]
    raw = np.array([[7, 0], [255, 1]], np.uint8)
    assert space.decode(raw).tolist() == [[1, 2], [3, 0]]
    np.testing.assert_array_equal(space.encode(space.decode(raw)), raw)
    with pytest.raises(ValueError, match="my-streets: no class has the raw value 2"):
        space.decode(raw + 1)


def test_without_unknown_and_edges(tmp_path: Path) -> None:
    path = tmp_path / "streets.yml"
    path.write_text("name: plain\nsize: 64x32\nclasses:\n  - {name: ground, value: 3}\n")
    space = find_label_space(str(path))
    assert (space.names, space.raw_values) == (("ground",), (3,))
    assert space.semantic_channels == 1


def test_all_values_of_8_bits_are_classes(tmp_path: Path) -> None:
    classes = [{"name": f"class {value}", "value": value} for value in range(256)]
    space = read_label_space(write(tmp_path / "s.yaml", classes=classes, unknown=None))
    np.testing.assert_array_equal(space.decode(np.arange(256)[None]), [range(256)])
    assert len(np.unique(space.colours, axis=0)) == 256


def test_the_example_in_the_documentation(tmp_path: Path) -> None:
    document = spadepis.labels.custom.__doc__
    assert document is not None
    path = tmp_path / "example.yaml"
    path.write_text(document.split("\n\n")[1])
    space = read_label_space(str(path))
    assert space.names == ("road", "sky", "unknown") and space.has_instance_edges


@pytest.mark.parametrize("name", LABEL_SPACES)
def test_published_ones_by_their_names(name: str) -> None:
    assert find_label_space(name) is LABEL_SPACES[name]


ROAD = {"name": "road", "value": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "coco-stuff"}, "the name coco-stuff is taken"),
        ({"name": "My Streets"}, "name: string should match"),
        ({"size": "64"}, "size: give WIDTHxHEIGHT"),
        ({"size": None}, "size: give text"),
        ({"size": 256}, "size: give WIDTHxHEIGHT, e.g. 512x256"),
        ({"edges": True}, "edges: there is no such key"),
        ({"instance_edges": "perhaps"}, "instance_edges: give true or false"),
        ({"classes": []}, "classes: list should have at least 1 item"),
        ({"classes": ["road"]}, "classes.0: give a mapping"),
        ({"classes": [{"name": "road"}]}, "classes.0.value: this setting is required"),
        ({"classes": [{"name": "road", "value": 256}]}, "classes.0.value: give 255 or less"),
        ({"classes": [{"name": "road", "value": True}]}, "classes.0.value: give a whole number"),
        ({"unknown": True}, "unknown: give a whole number"),
        ({"classes": [ROAD | {"colour": [1, 2]}]}, "classes.0.colour.2: give more values"),
        ({"classes": [ROAD, {"name": "road", "value": 2}]}, "two classes have the name road"),
        ({"classes": [ROAD, {"name": "sky", "value": 1}]}, "two classes have the value 1"),
        ({"unknown": 7}, "two classes have the value 7"),
        ({"unknown": -1}, "unknown: give 0 or more"),
    ],
)
def test_mistakes_are_one_line(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    uri = write(tmp_path / "streets.yaml", **changes)
    with pytest.raises(ConfigurationError) as caught:
        read_label_space(uri)
    message = str(caught.value)
    assert message.startswith(f"{uri}: ") and "\n" not in message
    assert reason in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a: [", "is not YAML"), ("- road", "give a mapping"), ("", "give a mapping")],
)
def test_other_files_are_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "streets.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=f"streets.yaml.* {reason}"):
        read_label_space(str(path))


@pytest.mark.parametrize(
    ("label_space", "reason"),
    [
        ("coco", "--label-space coco: give one of coco-stuff, .*-train-ids, or a YAML"),
        ("none.yaml", "none.yaml cannot be read"),
    ],
)
def test_a_setting_that_is_no_label_space(label_space: str, reason: str) -> None:
    flags = ["--masks", "m", "--output", "o", "--label-space", label_space]
    with pytest.raises(ConfigurationError, match=reason):
        parse_config(Job.SYNTHESIZE, flags)


def test_a_job_needs_weights_and_a_size_for_it(tmp_path: Path) -> None:
    flags = ["--masks", "m", "--output", "o", "--label-space"]
    with pytest.raises(ConfigurationError, match="label space my-streets needs --spade-checkpoint"):
        parse_config(Job.SYNTHESIZE, [*flags, write(tmp_path / "a.yaml")])
    flags = ["--spade-checkpoint", "c", *flags]
    config = parse_config(Job.SYNTHESIZE, [*flags, write(tmp_path / "b.yaml", size="65x32")])
    assert config.size == (32, 65)
    with pytest.raises(ConfigurationError, match="my-streets takes --instances only with"):
        parse_config(
            Job.SYNTHESIZE,
            [*flags, write(tmp_path / "c.yaml", instance_edges=False), "--instances", "i"],
        )


def test_another_file_is_another_image_set(tmp_path: Path) -> None:
    weights = str(tmp_path / "weights.pth")
    Path(weights).touch()

    def identity(uri: str) -> dict[str, Any]:
        settings = {"masks": "m", "output": "o", "label_space": uri, "spade_checkpoint": weights}
        return identify(resolve(Job.SYNTHESIZE, settings), [])

    first = identity(write(tmp_path / "a.yaml"))
    assert first["label_space"].startswith("my-streets (")
    assert first == identity(write(tmp_path / "b.yaml"))
    assert first != identity(write(tmp_path / "a.yaml", unknown=254))


def test_from_label_maps_to_an_image_set(
    spade_weights: Callable[..., dict[str, Tensor]], tmp_path: Path
) -> None:
    uri = write(tmp_path / "streets.yaml")
    space = read_label_space(uri)
    torch.save(spade_weights(space), tmp_path / "weights.pth")
    raw = np.random.default_rng(0).choice(np.array([0, 1, 7, 255], np.uint8), (32, 64))
    (tmp_path / "masks").mkdir()
    Image.fromarray(raw).save(tmp_path / "masks/good.png")
    Image.fromarray(raw + 1).save(tmp_path / "masks/other.png")
    flags = [f"--masks={tmp_path / 'masks'}", f"--instances={tmp_path / 'masks'}"]
    flags += [f"--label-space={uri}", f"--spade-checkpoint={tmp_path / 'weights.pth'}"]
    config = parse_config(Job.SYNTHESIZE, [*flags, f"--output={tmp_path / 'out'}"])

    plan = planned(config)
    assert [stage.name for stage in seconds_per_scene(config, styles=1)] == ["synthesize", "assess"]
    scenes = list(plan.scenes)
    for stage in assemble(config, devices={}):
        scenes = stage.make()(scenes)

    good, other = sorted(
        read_commits(Folder(str(tmp_path / "out"))), key=lambda commit: commit.mask_id
    )
    assert good.file_name is not None and good.mask_file_name is not None
    assert Image.open(tmp_path / "out" / good.file_name).size == (64, 32)
    with Image.open(tmp_path / "out" / good.mask_file_name) as mask:
        np.testing.assert_array_equal(np.asarray(mask), raw)
    assert other.file_name is None
    assert other.message is not None and "my-streets: no class has the raw value" in other.message


def test_training_reads_its_label_maps(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for number in range(2):
        Image.new("RGB", (300, 300)).save(tmp_path / f"images/{number}.jpg")
        Image.new("L", (300, 300), (7, 255)[number]).save(tmp_path / f"labels/{number}.png")
    config = TrainSpadeConfig(
        data=tmp_path,
        pairs=("images:labels",),
        label_space=write(tmp_path / "streets.yaml"),
        output=tmp_path / "out",
    )
    (folders,) = config.folders(config.pairs)
    sky, unknown = list_pairs(folders.photos, folders.labels, config.space)
    assert (sky.read_labels() == 1).all() and (unknown.read_labels() == 3).all()
    assert isinstance(config.space, LabelSpace) and config.space is not COCO_STUFF
