"""What a sample of the inputs tells before a job begins, and ``--dry-run``."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadepis.cli.main import run_job
from spadepis.configuration import ConfigurationError
from spadepis.dataset.inputs.examination import (
    SAMPLE_SIZE,
    LabelMapFinding,
    examine_label_maps,
)
from spadepis.dataset.inputs.image_files import Extent, UnreadableImageError
from spadepis.dataset.inputs.label_maps import read_class_map
from spadepis.demo.run import demo_config
from spadepis.labels import ADE20K, CITYSCAPES, COCO_STUFF
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import resolve
from spadepis.pipeline.planning.dry_run import dry_run
from spadepis.pipeline.planning.input_check import (
    Coverage,
    InputCheck,
    check_inputs,
    check_text,
)
from spadepis.pipeline.planning.inputs import list_inputs
from spadepis.pipeline.planning.label_map_check import check_label_maps

SKY, ROAD, UNKNOWN = 156, 148, 255


def sampled(*histograms: dict[int, int]) -> list[LabelMapFinding]:
    extent = Extent((2, 5), 1)
    return [
        LabelMapFinding(f"{i}.png", extent, None, found, True, 8, None)
        for i, found in enumerate(histograms)
    ]


def test_classes_are_named_with_their_shares() -> None:
    maps = sampled({SKY: 6, UNKNOWN: 4}, {SKY: 2, ROAD: 8})
    check = check_label_maps(COCO_STUFF, maps, examined=2, total=100)
    assert check.shares == {"sky-other": 0.4, "road": 0.4, "unknown": 0.2}
    assert check.unknown == 0.2
    lines = check_text(InputCheck(check, []))
    assert lines == [
        "2 of 100 label maps were examined",
        "sizes: 5x2 (2); width to height from 2.50 to 2.50",
        "3 classes: sky-other 40.0%, road 40.0%, unknown 20.0%",
        "unknown: 20.0% of the pixels",
    ]


def test_values_that_are_no_class_are_not_among_the_classes() -> None:
    check = check_label_maps(ADE20K, sampled({1: 9, 200: 1}), examined=1, total=1)
    assert check.shares == {"wall": 0.9}


def test_an_input_that_belongs_to_nothing_is_a_problem() -> None:
    none = Coverage("instances", "label maps", "an instance map", 2, ["a", "b"])
    some = Coverage("instances", "label maps", "an instance map", 2, ["b"])
    (problem,) = InputCheck(None, [none]).problems
    assert problem.startswith("0 of 2 label maps have an instance map: no id of --instances")
    assert InputCheck(None, [some]).problems == []
    said = "1 of 2 label maps have an instance map; 1 have none and will fail, e.g. 'b'"
    assert InputCheck(None, [some]).warnings == [said]


def test_a_job_that_will_fail_says_so_before_it_begins(
    make_label_maps: Callable[..., str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    masks = make_label_maps(tmp_path / "masks", 4)
    half = make_label_maps(tmp_path / "half", 2)
    given = flags(masks, tmp_path, "--instances", half, "--size", "64x64")
    assert run_job(Job.SYNTHESIZE, given) == 0
    printed = capsys.readouterr().out
    assert "2 of 4 label maps have an instance map; 2 have none and will fail" in printed
    doom = "more than --max-failed-fraction 0.01 allows: the job would end with exit status 3"
    assert doom in printed
    assert run_job(Job.SYNTHESIZE, [*given, "--max-failed-fraction=0.5"]) == 0
    assert doom not in capsys.readouterr().out

    # A real run says the same before its stages are tried and Ray starts.
    def no_trial(*_: object) -> None:
        raise ConfigurationError("on trial")

    monkeypatch.setattr("spadepis.pipeline.ray.making.try_stages", no_trial)
    with caplog.at_level(logging.WARNING):
        assert run_job(Job.SYNTHESIZE, [each for each in given if each != "--dry-run"]) == 2
    assert "on trial" in capsys.readouterr().err
    assert "2 of 4 label maps have an instance map" in caplog.text and doom in caplog.text


def save_label_maps(folder: Path, *values: int) -> str:
    folder.mkdir()
    for index, value in enumerate(values):
        label_map = np.full((64, 64), SKY, np.uint8)
        label_map[0, 0] = value
        Image.fromarray(label_map).save(folder / f"{index:03d}.png")
    return str(folder)


def test_label_maps_with_values_of_no_class_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = save_label_maps(tmp_path / "masks", SKY, 200, ROAD, 201, SKY)
    Path(masks, "004.png").write_bytes(b"no image")
    given = flags(masks, tmp_path, "--size=64x64")
    assert run_job(Job.SYNTHESIZE, given) == 0
    printed = capsys.readouterr().out
    assert "5 of 5 label maps were examined\n" in printed
    assert "2 classes: sky-other" in printed
    bad = (
        "2 of 5 label maps will fail: they hold 200, 201, which are no classes of coco-stuff, e.g. "
    )
    assert f"{bad}{masks}/001.png\n" in printed
    assert f"1 of 5 label maps will fail, e.g. {masks}/004.png: " in printed
    assert "; so many failures are more than --max-failed-fraction 0.01 allows" in printed

    assert run_job(Job.SYNTHESIZE, [*given, "--limit=3", "--max-failed-fraction=0.4"]) == 0
    printed = capsys.readouterr().out
    assert "5 of 5 label maps were examined; --limit takes at most 3 of them" in printed
    assert "1 of 3 label maps will fail: it holds 200, which is no class" in printed
    assert "max-failed-fraction" not in printed


def test_of_a_sample_the_share_that_fails_is_judged(tmp_path: Path) -> None:
    values = [SKY] * (2 * SAMPLE_SIZE)
    values[-2:] = [200, 200]
    masks = save_label_maps(tmp_path / "masks", *values)
    config = resolve(Job.SYNTHESIZE, {"masks": masks, "output": str(tmp_path / "out")})
    (warning,) = check_inputs(config, list_inputs(config), sorted_ids(masks)).warnings
    assert warning.startswith("1 of the 64 label maps that were examined will fail: it holds 200")
    assert "if as many of the others fail, they are more than --max-failed-fraction" in warning


def sorted_ids(folder: str) -> list[str]:
    return sorted(path.stem for path in Path(folder).iterdir())


def test_a_job_whose_label_maps_all_fail_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = save_label_maps(tmp_path / "masks", 200, 201)
    given = flags(masks, tmp_path, "--size=64x64")
    assert run_job(Job.SYNTHESIZE, given) == 2
    said = capsys.readouterr().err
    assert f"no label map can be used, e.g. {masks}/000.png: it holds 200, which is no" in said
    assert run_job(Job.SYNTHESIZE, [*given, "--accept-implausible"]) == 0


def test_a_dry_run_counts_scenes_with_wanted_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = save_label_maps(tmp_path / "masks", SKY, ROAD, ROAD, 200)
    given = flags(masks, tmp_path, "--size=64x64", "--containing-classes=road")
    assert run_job(Job.SYNTHESIZE, given) == 0
    # The one that will fail is among them: a job does not pass it over in silence.
    assert "3 results of 3 label maps\n" in capsys.readouterr().out


def test_a_few_label_maps_that_look_like_others_are_reported() -> None:
    check = check_label_maps(COCO_STUFF, sampled({1: 50, 3: 30, 6: 20}), examined=1, total=1)
    (warning,) = InputCheck(check, []).warnings
    assert warning.startswith("the label maps seem to be ade20k, not coco-stuff")
    assert "Give --label-space ade20k, or the YAML file of your own classes; they" in warning
    assert warning.endswith("too few to be certain") and InputCheck(check, []).problems == []


def test_license_plates_beyond_the_sample_are_refused(
    tmp_path: Path, spade_checkpoint: str
) -> None:
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.full((64, 64), 7, np.uint8)).save(tmp_path / "masks" / "a.png")
    given = {"masks": str(tmp_path / "masks"), "output": str(tmp_path / "out")}
    given |= {"label_space": "cityscapes", "spade_checkpoint": spade_checkpoint}
    plate = tmp_path / "plate.png"
    Image.fromarray(np.array([[7, 255]], np.uint8)).save(plate)
    for accepted in (False, True):
        config = resolve(Job.SYNTHESIZE, given | {"accept_implausible": accepted})
        conventions = check_inputs(config, list_inputs(config), ["a"]).conventions
        if accepted:
            read_class_map(str(plate), CITYSCAPES, 100, conventions)
        else:
            with pytest.raises(UnreadableImageError, match="255, which stands for license plates"):
                read_class_map(str(plate), CITYSCAPES, 100, conventions)


@pytest.mark.parametrize("mirrored", [False, True])
def test_instance_maps_of_other_scenes_are_implausible(
    mirrored: bool, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    instances = tmp_path / "instances"
    instances.mkdir()
    for path in (shared / "data/coco_stuff/val_inst").iterdir():
        with Image.open(path) as image:
            ids = np.asarray(image)
        Image.fromarray(ids[:, ::-1] if mirrored else ids).save(instances / path.name)
    given = flags(
        str(shared / "data/coco_stuff/val_label"), tmp_path, "--instances", str(instances)
    )
    assert run_job(Job.SYNTHESIZE, given) == (2 if mirrored else 0)
    printed = capsys.readouterr()
    if mirrored:
        assert "the instance maps are not those of the label maps" in printed.err
    else:
        assert "borders of label maps and instance maps agree to 100%" in printed.out


def test_a_sample_is_spread_over_the_set(tmp_path: Path) -> None:
    sources = {}
    for i in range(3 * SAMPLE_SIZE):
        sources[f"{i:04d}"] = str(tmp_path / f"{i:04d}.png")
        Image.fromarray(np.full((2, 3), i % 182, np.uint8)).save(sources[f"{i:04d}"])
    Path(sources["0000"]).write_bytes(b"no image")
    found, unreadable = examine_label_maps(sources, None, max_pixels=100)
    assert len(found) == SAMPLE_SIZE - 1
    assert found[-1].source == sources[f"{3 * SAMPLE_SIZE - 1:04d}"]
    assert {each.extent.size for each in found} == {(2, 3)}
    assert len(unreadable) == 1 and sources["0000"] in unreadable[0]


def flags(masks: str, tmp_path: Path, *more: str) -> list[str]:
    output = str(tmp_path / "out")
    return ["--masks", masks, "--output", output, "--dry-run", *more]


def test_a_split_that_matches_nothing_is_said_before_the_job(
    make_label_maps: Callable[..., str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"masks": make_label_maps(tmp_path / "m", 2), "output": str(tmp_path / "out")}
    for rule in ("0.1", "mask001"):
        dry_run(resolve(Job.SYNTHESIZE, settings | {"split_by": rule}))
    assert "--split-by" not in caplog.text
    dry_run(resolve(Job.SYNTHESIZE, settings | {"split_by": "10%"}))
    assert "--split-by 10% matches none of 2 ids, e.g. mask000" in caplog.text


def test_a_dry_run_writes_nothing(
    make_label_maps: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = make_label_maps(tmp_path / "masks")
    assert run_job(Job.SYNTHESIZE, flags(masks, tmp_path, "--size", "64x64")) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["masks"]
    printed = capsys.readouterr().out
    assert "3 results of 3 label maps" in printed
    assert "a new folder" in printed and "nothing was written" in printed


def test_instance_maps_of_other_label_maps_end_the_job(
    make_label_maps: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = make_label_maps(tmp_path / "masks")
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(Path(masks) / "mask000.png", other / "someone_else.png")
    given = flags(masks, tmp_path, "--instances", str(other))
    assert run_job(Job.SYNTHESIZE, given) == 2
    # A real run too, before Ray starts.
    assert run_job(Job.SYNTHESIZE, [flag for flag in given if flag != "--dry-run"]) == 2
    assert "0 of 3 label maps have an instance map" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run_job(Job.SYNTHESIZE, [*given, "--accept-implausible"]) == 0


@pytest.mark.parametrize(
    ("masks", "space", "status"),
    [
        ("coco_stuff/val_label", "coco-stuff", 0),
        ("coco_stuff_val/labels", "coco-stuff", 0),
        ("ade20k_val/labels", "ade20k", 0),
        ("ade20k_val/labels", "coco-stuff", 2),
        ("coco_stuff/train_label", "ade20k", 2),
    ],
)
def test_real_sets_in_right_and_wrong_label_spaces(
    masks: str, space: str, status: int, shared: Path, spade_checkpoint: str, tmp_path: Path
) -> None:
    given = flags(str(shared / "data" / masks), tmp_path, "--label-space", space)
    # No network is made by a dry run, so that any checkpoint will do.
    assert run_job(Job.SYNTHESIZE, [*given, "--spade-checkpoint", spade_checkpoint]) == status


def test_the_demonstration_refuses_another_label_space(shared: Path, tmp_path: Path) -> None:
    config = demo_config(str(tmp_path / "demo"), masks=str(shared / "data/ade20k_val/labels"))
    with pytest.raises(ValueError, match="Give --label-space ade20k"):
        dry_run(config)
