"""Jobs on those scenes alone that have some classes."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from spadepis import ImageSet
from spadepis.cli.main import run_job
from spadepis.configuration import ConfigurationError
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import resolve
from spadepis.pipeline.planning.class_survey import read_survey, write_survey
from spadepis.pipeline.planning.inputs import list_inputs
from spadepis.pipeline.planning.plan import make_plan
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.find_classes import FindClasses

SCENES = {"a": ["car", "road"], "b": ["road"], "c": ["car", "road", "tree"], "d": ["tree"]}


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """The label maps of ``SCENES``, and one that is none."""
    folder = tmp_path / "masks"
    folder.mkdir()
    for id, names in SCENES.items():
        raw = [COCO_STUFF.raw_values[COCO_STUFF.names.index(name)] for name in names]
        Image.fromarray(np.array(raw, np.uint8).repeat(24)[None].repeat(48, 0)).save(
            folder / f"{id}.png"
        )
    (folder / "e.png").write_bytes(b"no image")
    return folder


def ids(masks: Path, **settings: str | int) -> Sequence[str]:
    config = resolve(Job.SYNTHESIZE, {"masks": str(masks), "output": "o"} | settings)
    classes = SCENES | {"e": None}
    plan = make_plan(config, list_inputs(config), classes=classes)
    return [scene.id for scene in plan.scenes]


def test_scenes_have_all_wanted_classes_or_a_bad_label_map(masks: Path) -> None:
    assert ids(masks, containing_classes="road") == ["a", "b", "c", "e"]
    assert ids(masks, containing_classes="road, car") == ["a", "c", "e"]
    assert ids(masks, containing_classes="car", limit=1) == ["a"]
    assert ids(masks, containing_classes="car", where="[b-d]") == ["c"]
    with pytest.raises(ConfigurationError, match="none of 2 label maps has cat"):
        ids(masks, containing_classes="cat", where="a,b")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--containing-classes=carr,road"], "no class 'carr' .did you mean .*car"),
        (["--containing-classes=car,"], "no class ''"),
    ],
)
def test_unknown_classes_are_refused(flags: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_config(Job.SYNTHESIZE, ["--masks=m", "--output=o", *flags])
    with pytest.raises(ConfigurationError, match="needs --masks"):
        parse_config(Job.STYLIZE, ["--photos=p", "--styles=s", "--output=o", *flags])


def test_finds_the_classes_of_label_maps(masks: Path, tmp_path: Path) -> None:
    names = [*SCENES, "e"]
    sources = {id: str(masks / f"{id}.png") for id in names}
    scenes = [Scene(id, [Style(None, None)], source) for id, source in sources.items()]
    classes = dict(FindClasses(COCO_STUFF, 10**6)(scenes))
    found = {id: names and sorted(names) for id, names in classes.items()}
    assert found == {**{id: sorted(names) for id, names in SCENES.items()}, "e": None}

    folder = Folder(str(tmp_path / "out"))
    assert read_survey(folder, sources) is None
    write_survey(folder, sources, classes)
    assert read_survey(folder, sources) == classes
    assert read_survey(folder, sources | {"f": "f.png"}) is None


def test_a_job_reads_the_label_maps_for_it_once(
    cluster: None,
    masks: Path,
    tmp_path: Path,
    spade_checkpoint: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    flags = [
        f"--masks={masks}",
        "--containing-classes=car,road",
        "--size=64x64",
        f"--spade-checkpoint={spade_checkpoint}",
        f"--output={tmp_path / 'out'}",
        "--max-failed-fraction=0.5",
    ]
    with caplog.at_level(logging.INFO):
        assert run_job(Job.SYNTHESIZE, flags) == 0
        assert run_job(Job.SYNTHESIZE, flags) == 0
    images = ImageSet(str(tmp_path / "out"))
    assert sorted(images.table["mask_id"].to_pylist()) == ["a", "c"]
    assert all({"car", "road"} <= set(names) for names in images.table["classes"].to_pylist())
    failures = pq.read_table(tmp_path / "out" / "failures.parquet")
    assert failures["mask_id"].to_pylist() == ["e"]
    assert caplog.text.count("reading the classes of 5 label maps") == 1
    assert "nothing to do" in caplog.text
