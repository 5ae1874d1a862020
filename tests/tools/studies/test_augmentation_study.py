import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from spadepis.configuration import ConfigurationError, parse_settings
from tools.studies.augmentation.config import AugmentationStudyConfig
from tools.studies.augmentation.data import read_study_data
from tools.studies.augmentation.study import ARMS, augmentation_study_job
from tools.studies.augmentation.table import Run, differences_table, results_table

LOOKS = (
    "unchanged",
    "changed, real",
    "night, by formula",
    "snow, by formula",
    "other styles: night",
    "other styles: snow",
    "other styles: all",
)
LABEL_SPACE = """\
name: two
size: 64x64
unknown: 9
classes:
  - {name: sky, value: 0}
  - {name: road, value: 1}
  - {name: tree, value: 2}
"""

Image8 = np.ndarray[Any, np.dtype[np.uint8]]


def label_map(number: int) -> Image8:
    """Sky above a road, the horizon by number, with a tree and an unknown column; [260,262]."""
    labels = np.zeros((260, 262), np.uint8)
    labels[100 + 10 * number :] = 1
    labels[60:140, 30:60] = 2
    labels[:, 200:210] = 9
    return labels


def photo(labels: Image8, brightness: float) -> Image8:
    colours = np.zeros((10, 3))
    colours[:3] = [(180, 200, 250), (110, 100, 100), (30, 120, 30)]
    return (colours[labels] * brightness).astype(np.uint8)


@pytest.fixture
def write_set(tmp_path: Path) -> Callable[..., str]:
    """Write a finished image set of label maps by id, each in styles of the given brightness."""

    def write(name: str, numbers: dict[str, int], styles: dict[str, float]) -> str:
        folder = tmp_path / name
        folder.mkdir()
        rows = []
        for mask_id, number in numbers.items():
            Image.fromarray(label_map(number)).save(folder / f"{mask_id}.png")
            for style_id, brightness in styles.items():
                file_name = f"{mask_id}-{style_id}.jpg"
                Image.fromarray(photo(label_map(number), brightness)).save(folder / file_name)
                rows.append(
                    {
                        "file_name": file_name,
                        "mask_file_name": f"{mask_id}.png",
                        "mask_id": mask_id,
                        "style_id": style_id,
                    }
                )
        pq.write_table(pa.Table.from_pylist(rows), folder / "metadata.parquet")
        return str(folder)

    return write


@pytest.fixture
def settings(tmp_path: Path, write_set: Callable[..., str]) -> dict[str, Any]:
    photos, labels = tmp_path / "images", tmp_path / "labels"
    photos.mkdir()
    labels.mkdir()
    for film, brightness in {"a": 1.0, "b": 0.95, "dusk": 0.5}.items():
        for number in range(3):
            labels_of_frame = label_map(number)
            Image.fromarray(labels_of_frame).save(labels / f"{film}_{number}.png")
            frame = Image.fromarray(photo(labels_of_frame, brightness))
            frame.save(photos / f"{film}_{number}.jpg", quality=95)
    space = tmp_path / "two.yaml"
    space.write_text(LABEL_SPACE)
    of_film = {film: {f"{film}_{n}": n for n in range(3)} for film in ("a", "b")}
    return {
        "photos": photos,
        "labels": labels,
        "label_space": str(space),
        "training": "a_*",
        "held_out": "b_*",
        "changed": "dusk_*",
        "generated": write_set("generated", of_film["a"], {"night": 0.3, "noon": 1.0}),
        "styled": write_set("styled", of_film["b"], {"real_night": 0.2, "real_snow": 0.9}),
        "ground": "road",
        "seeds": 2,
        "steps": 30,
        "batch_size": 2,
        "crop": 32,
        "test_pictures": 1,
        "output": tmp_path / "out",
    }


def test_study_gives_every_arm_and_look_and_goes_on_where_it_was(
    settings: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    augmentation_study_job(AugmentationStudyConfig(**settings))
    printed = capsys.readouterr().out
    header, _, *rows = printed.split("\n\n")[0].splitlines()
    assert header.strip("| ").split(" | ") == ["test look", *(arm.name for arm in ARMS)]
    assert [row.strip("| ").split(" | ")[0] for row in rows] == list(LOOKS)

    results = settings["output"] / "results.jsonl"
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert {(line["arm"], line["seed"]) for line in lines} == {
        (arm.name, seed) for arm in ARMS for seed in range(2)
    }
    for line in lines:
        for look in LOOKS:
            assert set(line["by_class"][look]) == {"sky", "road", "tree"}
            assert 0 <= line["mean_iou"][look] <= 1
    # The networks differ.
    assert len({tuple(line["mean_iou"].values()) for line in lines}) > 4
    assert (settings["output"] / "looks.png").exists()

    # What is lost is done again with the same result, and nothing else is.
    whole = results.read_text().splitlines(keepends=True)
    results.write_text("".join(whole[:-1]))
    with caplog.at_level(logging.INFO, logger="tools.studies.augmentation.study"):
        caplog.clear()
        augmentation_study_job(AugmentationStudyConfig(**settings))
    assert len([m for m in caplog.messages if m.startswith("seed ")]) == 1
    assert capsys.readouterr().out == printed
    assert results.read_text() == "".join(whole)

    with pytest.raises(ConfigurationError, match=r"results\.jsonl was made with another steps$"):
        augmentation_study_job(AugmentationStudyConfig(**settings | {"steps": 3}))


def test_looks_change_the_photos_and_not_the_label_maps(settings: dict[str, Any]) -> None:
    data = read_study_data(AugmentationStudyConfig(**settings))
    assert len(data.real) == 3 and len(data.generated) == 6
    assert list(data.looks) == list(LOOKS)
    brightness = {}
    for look, pairs in data.looks.items():
        assert len(pairs) == 1
        for pair in pairs:
            assert pair.photo.shape == (3, 256, 256) and pair.labels.shape == (256, 256)
        brightness[look] = float(torch.stack([pair.photo.float() for pair in pairs]).mean())
    for look in ("night, by formula", "snow, by formula"):
        for pair, original in zip(data.looks[look], data.looks["unchanged"], strict=True):
            assert torch.equal(pair.labels, original.labels)
            assert not torch.equal(pair.photo, original.photo)
    assert brightness["night, by formula"] < 0.5 * brightness["unchanged"]
    assert brightness["snow, by formula"] > brightness["unchanged"] + 10
    assert brightness["other styles: night"] < 0.3 * brightness["other styles: snow"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": "a_*,b_1"}, "b_1 is in training and tests"),
        ({"changed": "dusk_*,a_2"}, "a_2 is in training and tests"),
        ({"training": "a_0,a_1"}, "a_2 is in --generated and not in --training"),
        ({"held_out": "b_0,b_1"}, "b_2 is in --styled and not in --held-out"),
        ({"held_out": "c_*"}, "is like c_"),
        ({"snow_styles": "*rain*"}, "no style in .* is like"),
        ({"plants": "bush"}, "two has no class bush"),
    ],
)
def test_nothing_is_in_training_and_tests_alike(
    settings: dict[str, Any], change: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_study_data(AugmentationStudyConfig(**settings | change))


def test_test_styles_are_others_than_those_of_training(
    settings: dict[str, Any], write_set: Callable[..., str]
) -> None:
    styled = write_set("again", {"b_0": 0}, {"night": 0.2, "real_snow": 0.9})
    with pytest.raises(ConfigurationError, match="night is a style of --generated and of --styled"):
        read_study_data(AugmentationStudyConfig(**settings | {"styled": styled}))


def test_tables_pair_the_seeds() -> None:
    by_arm = {"plain": (0.30, 0.50), "ours": (0.42, 0.60)}
    runs = [
        Run(arm, seed, {"dusk": values[seed]}, {})
        for arm, values in by_arm.items()
        for seed in (1, 0)
    ]
    assert results_table(runs, ["plain", "ours"]).splitlines() == [
        "| test look | plain | ours |",
        "|---|---:|---:|",
        "| dusk | 40.0 ± 14.1 | 51.0 ± 12.7 |",
    ]
    assert differences_table(runs, [("ours", "plain")]).splitlines()[-1] == "| dusk | +11.0 ± 1.4 |"


def test_the_settings_beside_the_job_are_valid() -> None:
    root = Path(__file__).parents[3]
    flags = ["--config", str(root / "tools/studies/augmentation/study.yaml"), "--label-space"]
    config = parse_settings(
        AugmentationStudyConfig, [*flags, str(root / "jobs/presets/camvid.yaml")]
    )
    assert [config.space.names[i] for i in config.classes(config.ground)] == ["road", "pavement"]
    assert config.space.num_classes == 12
