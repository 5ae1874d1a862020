"""Scenes get the styles that are most like them, in the stage and in a whole job."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from spadepis import ImageSet
from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT
from spadepis.cli.main import run_job
from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import read_commits, write_commits
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.labels.related_classes import find_region_labels
from spadepis.matching.descriptors import Descriptor, describe_label_map
from spadepis.matching.matching import Matching
from spadepis.matching.style_index import StyleIndex
from spadepis.photowct import PhotoWCT
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.planning.plan import Plan
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.describe_styles import DescribeStyles

REGIONS = find_region_labels(COCO_STUFF, None)
CLASSES = {"sea": ["sea", "sky-other"], "wood": ["tree", "grass"], "town": ["road", "car"]}


def label_map(names: list[str]) -> Image.Image:
    """Stripes of classes, as a dataset stores them."""
    raw = [COCO_STUFF.raw_values[COCO_STUFF.names.index(name)] for name in names]
    return Image.fromarray(np.array(raw, np.uint8).repeat(64 // len(raw))[None].repeat(64, 0))


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Three scenes of different classes, and three styles of the same, named the same."""
    generator = np.random.default_rng(0)
    for folder in ("masks", "styles", "style_masks"):
        (tmp_path / folder).mkdir()
    for name, classes in CLASSES.items():
        label_map(classes).save(tmp_path / "masks" / f"{name}.png")
        label_map(classes[:1]).save(tmp_path / "style_masks" / f"{name}.png")
        noise = Image.fromarray(generator.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        noise.resize((64, 64)).save(tmp_path / "styles" / f"{name}.png")
    return tmp_path


def flags(inputs: Path, *more: str) -> list[str]:
    return [
        f"--masks={inputs / 'masks'}",
        f"--styles={inputs / 'styles'}",
        f"--style-masks={inputs / 'style_masks'}",
        "--pairing=match",
        "--size=64x64",
        f"--output={inputs / 'out'}",
        *more,
    ]


def test_styles_are_described_by_label_map_or_by_photo(inputs: Path) -> None:
    styles = [
        Scene(
            name,
            [Style(None, None)],
            mask_source=str(inputs / "style_masks" / f"{name}.png"),
            photo_source=str(inputs / "styles" / f"{name}.png"),
        )
        for name in ("sea", "town", "gone")
    ]

    def describe(checkpoint: str | None) -> list[Descriptor | None]:
        stage = DescribeStyles(COCO_STUFF, REGIONS, checkpoint, 10**6)
        return [descriptor for _, descriptor in stage(styles)]

    sea, town, gone = describe(None)
    assert sea is not None and town is not None and gone is None
    assert np.argmax(sea) == REGIONS[COCO_STUFF.names.index("sea")]
    assert sum(town) == pytest.approx(1)
    sea, town, gone = describe(DEFAULT_PHOTOWCT_CHECKPOINT)
    assert sea is not None and town is not None and gone is None
    assert len(sea) == len(town) > 16
    assert np.abs(sea - town).max() > 0


def test_related_classes_are_one_and_unknown_pixels_are_nothing() -> None:
    def shares(*names: str) -> dict[int, float]:
        classes = np.array([[COCO_STUFF.names.index(name) for name in names]], np.uint8)
        described = describe_label_map(classes, REGIONS)
        return {int(i): float(described[i]) for i in np.flatnonzero(described)}

    assert shares("sea", "grass") == shares("river", "grass") != shares("sea", "road")
    assert shares("sea", "unknown") == shares("sea")
    assert shares("unknown") == {}


def test_a_scene_is_matched_by_the_features_of_its_content(inputs: Path) -> None:
    """The content is one of the styles itself."""
    network = PhotoWCT.from_checkpoint(DEFAULT_PHOTOWCT_CHECKPOINT)
    styles = [Style(name, str(inputs / "styles" / f"{name}.png")) for name in CLASSES]
    described = DescribeStyles(COCO_STUFF, REGIONS, DEFAULT_PHOTOWCT_CHECKPOINT, 10**6)(
        [Scene(str(style.id), [style], photo_source=style.source) for style in styles]
    )
    descriptors = np.array([each for _, each in described], np.float32)
    matching = Matching(StyleIndex(list(CLASSES), descriptors, False), 0.0, REGIONS)
    for name, style in zip(CLASSES, styles, strict=True):
        content = np.asarray(Image.open(str(style.source)))
        assert matching.choose(1, None, content, network) == [name]
        others = matching.choose(3, None, content, network, without=[name])
        assert sorted(others) == sorted(set(CLASSES) - {name})


def test_what_is_settled_is_neither_chosen_nor_counted_again() -> None:
    plan = Plan([Scene(id, [], choices=2) for id in "abcd"])
    settled = {("a", "s"), ("b", "s"), ("b", "t"), ("c", None)}
    left = plan.without(settled)
    assert [(scene.id, scene.choices, scene.passed_over) for scene in left.scenes] == [
        ("a", 1, ["s"]),
        ("d", 2, []),
    ]
    assert (plan.pairs, left.pairs) == (8, 3)


def test_a_failure_before_the_choice_is_void_once_there_is_one(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    early = [Commit(id, None, "", None, stage="read", error="E") for id in ("a", "b")]
    write_commits(folder, early)
    write_commits(folder, [Commit("b", "s", "", None, file_name="x")])
    assert [commit.pair for commit in read_commits(folder)] == [("a", None), ("b", "s")]


def test_a_job_matches_by_classes(
    cluster: None, inputs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (inputs / "masks" / "bad.png").write_bytes(b"no image")
    once = flags(inputs, "--styles-per-mask=2", "--max-failed-fraction=0.5")
    with caplog.at_level(logging.INFO):
        assert run_job(Job.SYNTHESIZE_AND_STYLIZE, once) == 0
    assert "describing 3 styles by their classes" in caplog.text
    table = ImageSet(str(inputs / "out")).table.to_pylist()
    assert len(table) == 6
    for name in CLASSES:
        assert name in {row["style_id"] for row in table if row["mask_id"] == name}
    failures = pq.read_table(inputs / "out" / "failures.parquet").to_pylist()
    assert [(row["mask_id"], row["style_id"]) for row in failures] == [("bad", None)]

    # The one label map is mended, and its failure is gone with it.
    label_map(["car"]).save(inputs / "masks" / "bad.png")
    assert run_job(Job.SYNTHESIZE_AND_STYLIZE, [*once, "--retry-failed"]) == 0
    table = ImageSet(str(inputs / "out")).table.to_pylist()
    assert "town" in {row["style_id"] for row in table if row["mask_id"] == "bad"}
    assert len(table) == 8
    assert pq.read_table(inputs / "out" / "failures.parquet").num_rows == 0
    with caplog.at_level(logging.INFO):
        assert run_job(Job.SYNTHESIZE_AND_STYLIZE, once) == 0
    assert "nothing to do: all 8 pairs" in caplog.text


def test_matching_needs_as_many_styles(inputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job(Job.SYNTHESIZE_AND_STYLIZE, flags(inputs, "--styles-per-mask=4")) == 2
    assert "--styles-per-mask 4" in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match="--match-diversity goes with"):
        parse_config(
            Job.STYLIZE, ["--photos=p", "--styles=s", "--output=o", "--match-diversity=0.1"]
        )


def test_photos_are_matched_by_features(
    cluster: None, inputs: Path, make_photos: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    output = inputs / "by_features"
    with caplog.at_level(logging.INFO):
        status = run_job(
            Job.STYLIZE,
            [
                f"--photos={inputs / 'styles'}",
                f"--styles={inputs / 'styles'}",
                "--pairing=match",
                f"--output={output}",
            ],
        )
    assert status == 0
    assert "describing 3 styles by their features" in caplog.text
    table = ImageSet(str(output)).table
    assert table["mask_id"].to_pylist() == table["style_id"].to_pylist() == sorted(CLASSES)
