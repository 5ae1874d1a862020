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
from pydantic import ValidationError

from spadepis.configuration import ConfigurationError, parse_settings
from spadepis.labels.custom import find_label_space
from spadepis.training.sources import Source
from tools.studies.augmentation.config import AugmentationStudyConfig
from tools.studies.augmentation.data import read_study_data
from tools.studies.augmentation.segmentation import class_weights, mean_iou, train_segmentation
from tools.studies.augmentation.study import augmentation_study_job
from tools.studies.augmentation.styles import StylesConfig, gather_styles_job
from tools.studies.augmentation.table import Check, Run, differences_table, results_table

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
                        "structure": brightness - number / 10,
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
        for number in range(4):
            labels_of_frame = label_map(number)
            Image.fromarray(labels_of_frame).save(labels / f"{film}_{number}.png")
            frame = Image.fromarray(photo(labels_of_frame, brightness))
            frame.save(photos / f"{film}_{number}.jpg", quality=95)
    space = tmp_path / "two.yaml"
    space.write_text(LABEL_SPACE)
    generated = write_set("generated", {f"a_{n}": n for n in range(3)}, {"night": 0.3, "noon": 1.0})
    return {
        "photos": photos,
        "labels": labels,
        "label_space": str(space),
        "training": "a_*",
        "held_out": "b_[0-2]",
        "held_out_validation": "b_3",
        "changed": "dusk_[0-2]",
        "changed_validation": "dusk_3",
        "recipes": {
            "real": {},
            "jitter": {"jitter": True},
            "half": {"images": generated, "share": 0.5},
            "best half": {"images": generated, "share": 0.5, "drop": 0.5},
            "longer": {"length": 2},
        },
        "baselines": ["real"],
        "finalists": ["real", "half"],
        "styled": write_set(
            "styled", {f"b_{n}": n for n in range(3)}, {"real_night": 0.2, "real_snow": 0.9}
        ),
        "ground": "road",
        "seeds": 2,
        "steps": 4,
        "checks": 2,
        "batch_size": 2,
        "crop": 32,
        "test_pictures": 1,
        "output": tmp_path / "out",
    }


def test_study_trains_every_recipe_and_resumes(
    settings: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    augmentation_study_job(AugmentationStudyConfig(**settings))
    printed = capsys.readouterr().out
    validation, curves, finals, differences = (
        [row.strip("| ").split(" | ") for row in table.splitlines()]
        for table in printed.strip().split("\n\n")
    )
    assert [row[0] for row in validation[2:]] == list(settings["recipes"])
    assert [row[1] for row in curves[2:]] == ["4", "4", "4", "4", "8"]
    assert finals[0] == ["test look", "real", "half"]
    assert [row[0] for row in finals[2:]] == list(LOOKS)
    assert differences[0] == ["test look", "half less real"]

    results = settings["output"] / "results.jsonl"
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [(line["recipe"], line["seed"]) for line in lines] == [
        *((name, 0) for name in settings["recipes"]),
        ("real", 1),
        ("half", 1),
    ]
    for line in lines:
        for look in LOOKS:
            assert set(line["by_class"][look]) == {"sky", "road", "tree"}
            assert 0 <= line["mean_iou"][look] <= 1
        assert len(line["curve"]) == 2
    # The networks differ.
    assert len({tuple(line["mean_iou"].values()) for line in lines}) > 4
    assert (settings["output"] / "looks.png").exists()

    # What is lost is done again with the same result, and nothing else is.
    whole = results.read_text().splitlines(keepends=True)
    results.write_text("".join(whole[:-1]))
    with caplog.at_level(logging.INFO, logger="tools.studies.augmentation.study"):
        caplog.clear()
        augmentation_study_job(AugmentationStudyConfig(**settings))
    assert len([m for m in caplog.messages if "tested" in m]) == 1
    assert capsys.readouterr().out == printed
    assert results.read_text() == "".join(whole)

    with pytest.raises(ConfigurationError, match=r"results\.jsonl was made with another steps$"):
        augmentation_study_job(AugmentationStudyConfig(**settings | {"steps": 3}))
    settings["recipes"]["real"] = {"jitter": True}
    with pytest.raises(ConfigurationError, match=r"was made with another recipe real$"):
        augmentation_study_job(AugmentationStudyConfig(**settings))


def test_the_network_learns_the_classes(settings: dict[str, Any]) -> None:
    config = AugmentationStudyConfig(**settings)
    pairs = read_study_data(config).real
    curve = [
        mean_iou(network, pairs, config.space)[0]
        for _, network in train_segmentation(
            [Source.of_equals(pairs)],
            class_weights(pairs, config.space.num_classes),
            steps=30,
            batch_size=2,
            crop=64,
            checks=2,
            seed=0,
        )
    ]
    assert len(curve) == 2 and curve[-1] > 0.8


def test_looks_change_the_photos_and_not_the_label_maps(settings: dict[str, Any]) -> None:
    data = read_study_data(AugmentationStudyConfig(**settings))
    assert len(data.real) == 4
    assert list(data.looks) == list(LOOKS)
    brightness = {}
    for look, pairs in data.looks.items():
        assert len(pairs) == 1
        for pair in pairs:
            assert pair.photo.shape[1:] == pair.labels.shape
        brightness[look] = float(torch.stack([pair.photo.float() for pair in pairs]).mean())
    for look in ("night, by formula", "snow, by formula"):
        for pair, original in zip(data.looks[look], data.looks["unchanged"], strict=True):
            assert torch.equal(pair.labels, original.labels)
            assert not torch.equal(pair.photo, original.photo)
    assert brightness["night, by formula"] < 0.5 * brightness["unchanged"]
    assert brightness["snow, by formula"] > brightness["unchanged"] + 10
    assert brightness["other styles: night"] < 0.3 * brightness["other styles: snow"]


def test_a_recipe_drops_the_worst_pairs_by_a_metric(settings: dict[str, Any]) -> None:
    data = read_study_data(AugmentationStudyConfig(**settings))
    everything, best = data.generated["half"], data.generated["best half"]
    assert len(everything) == 6 and len(best) == 3
    # The metric grows with the brightness of these pictures.
    brightness = sorted(float(pair.photo.float().mean()) for pair in everything)
    assert sorted(float(pair.photo.float().mean()) for pair in best) == brightness[3:]
    # However much is dropped, one stays.
    settings["recipes"]["best half"]["drop"] = 0.95
    (left,) = read_study_data(AugmentationStudyConfig(**settings)).generated["best half"]
    assert float(left.photo.float().mean()) in brightness[3:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training": "a_*,b_1"}, "b_1 is both in --training and --held-out"),
        ({"changed": "dusk_0,a_2"}, "a_2 is both in --training and --changed"),
        ({"changed": "dusk_*"}, "dusk_3 is both in --changed and --changed-validation"),
        ({"training": "a_0,a_1"}, "a_2 is in the images of half and not in --training"),
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
    with pytest.raises(ConfigurationError, match="night is a style of half and of --styled"):
        read_study_data(AugmentationStudyConfig(**settings | {"styled": styled}))


def test_tables_pair_the_seeds() -> None:
    by_recipe = {"plain": (0.30, 0.50), "ours": (0.42, 0.60)}
    runs = [
        Run(recipe, seed, {"dusk": values[seed]}, {}, [Check(1, {})])
        for recipe, values in by_recipe.items()
        for seed in (1, 0)
    ]
    assert results_table(runs, ["plain", "ours"]).splitlines() == [
        "| test look | plain | ours |",
        "|---|---:|---:|",
        "| dusk | 40.0 ± 14.1 | 51.0 ± 12.7 |",
    ]
    assert differences_table(runs, [("ours", "plain")]).splitlines()[-1] == "| dusk | +11.0 ± 1.4 |"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"finalists": ["all"]}, "there is no recipe all"),
        ({"recipes": {"real": {"share": 0.5}}}, "both images and share"),
    ],
)
def test_recipes_are_complete(
    settings: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        AugmentationStudyConfig(**settings | change)


def test_the_settings_beside_the_job_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    folder = "tools/studies/augmentation"
    config = parse_settings(AugmentationStudyConfig, ["--config", f"{folder}/study.yaml"])
    assert [config.space.names[i] for i in config.classes(config.ground)] == ["road", "pavement"]
    assert config.space.num_classes == 12
    parse_settings(StylesConfig, ["--config", f"{folder}/styles.yaml"])


def test_style_label_maps_are_translated(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(LABEL_SPACE)
    source = find_label_space("cityscapes")
    indices = [source.names.index(name) for name in ("sky", "road", "sidewalk", "car")]
    label_map = source.encode(np.array([indices], np.uint8).repeat(8, axis=0))
    Image.fromarray(label_map).save(tmp_path / "dusk.png")
    Image.fromarray(np.full((8, 4, 3), 60, np.uint8)).save(tmp_path / "dusk.jpg")
    settings: dict[str, Any] = {
        "photos": tmp_path,
        "labels": tmp_path,
        "label_space": "cityscapes",
        "names": ["dusk"],
        "target_space": str(tmp_path / "two.yaml"),
        "classes": {"sky": ["sky"], "road": ["road", "sidewalk"]},
        "output": tmp_path / "out",
    }
    gather_styles_job(StylesConfig(**settings))
    with Image.open(tmp_path / "out" / "labels" / "dusk.png") as image:
        assert np.array_equal(np.asarray(image), [[0, 1, 1, 9]] * 8)
    assert (tmp_path / "out" / "images" / "dusk.jpg").read_bytes() == (
        tmp_path / "dusk.jpg"
    ).read_bytes()
    with pytest.raises(ConfigurationError, match=r"night\.png are not both there"):
        gather_styles_job(StylesConfig(**settings | {"names": ["night"]}))
    with pytest.raises(ConfigurationError, match="two has no class bush"):
        gather_styles_job(StylesConfig(**settings | {"classes": {"bush": ["vegetation"]}}))
