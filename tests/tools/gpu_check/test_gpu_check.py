"""The check of a GPU, in its reduced form on a CPU, and what it makes of wrong results."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from spadepis.labels import COCO_STUFF
from spadepis.photowct import PhotoWCT
from spadepis.smoothing import SmoothingSystem
from spadepis.spade import SpadeGenerator
from tests.support.networks import photowct_weights, random_weights, spade_weights
from tools.gpu_check.check import CHECKS, run
from tools.gpu_check.config import GpuCheckConfig
from tools.gpu_check.facts import Fact
from tools.gpu_check.golden import check_golden, rebuild_weights
from tools.gpu_check.whole_job import job_facts

SIDE = 32

Array = NDArray[Any]

# Threads that wait for each other make small networks slow beside other tests.
pytestmark = pytest.mark.usefixtures("one_thread")


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]


def check(tmp_path: Path, *flags: str) -> tuple[int, dict[str, dict[str, object]]]:
    """The exit status of the check, and its results by part."""
    output = tmp_path / "check.json"
    status = run([*flags, "--device=cpu", f"--output={output}"])
    parts: dict[str, dict[str, object]] = json.loads(output.read_text())["parts"]
    return status, parts


def test_every_part_runs_on_a_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, parts = check(tmp_path)
    assert status == 0, capsys.readouterr().out
    assert list(parts) == list(CHECKS)
    rates = []
    for part, results in parts.items():
        assert results["error"] is None, part
        assert isinstance(results["facts"], list) and results["facts"]
        rates += [fact for fact in results["facts"] if fact["unit"] == "per second"]
    assert len(rates) == 8
    assert all(math.isfinite(fact["value"]) and fact["value"] > 0 for fact in rates)
    assert all(0 < fact["details"]["% of peak"] < 200 for fact in rates)
    assert "SPADE, 32x32, batch of 1" in capsys.readouterr().out


def test_a_part_that_fails_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(config: GpuCheckConfig) -> Iterator[Fact]:
        yield Fact("before", 1.0)
        raise RuntimeError("CUDA error")

    def wrong(config: GpuCheckConfig) -> Iterator[Fact]:
        yield Fact("difference", 0.5, limit=0.1)

    monkeypatch.setitem(CHECKS, "memory", broken)
    monkeypatch.setitem(CHECKS, "synthesis", wrong)
    status, parts = check(tmp_path, "--parts=memory,synthesis")
    assert status == 1
    assert parts["memory"]["error"] == "RuntimeError: CUDA error"
    assert parts["memory"]["facts"] and parts["synthesis"]["facts"]
    assert not parts["memory"]["is_whole"] and parts["synthesis"]["is_whole"]
    printed = capsys.readouterr().out
    assert "difference: 0.5  WRONG: the limit is 0.1" in printed
    assert printed.endswith("SOMETHING IS WRONG\n")


def test_nothing_starts_when_the_time_is_up(tmp_path: Path) -> None:
    status, parts = check(tmp_path, "--parts=smoothing,stylization", "--seconds=1e-6")
    assert status == 0
    assert all(part["facts"] == [] and not part["is_whole"] for part in parts.values())


@pytest.mark.parametrize(
    ("value", "is_right"), [(0.1, True), (0.2, False), (math.nan, False), (math.inf, False)]
)
def test_limits(value: float, is_right: bool) -> None:
    assert Fact("difference", value, limit=0.1).is_right == is_right
    assert Fact("rate", value).is_right


@pytest.fixture
def golden(tmp_path: Path) -> GpuCheckConfig:
    """Outputs as the published ones are kept, but of small networks."""
    random = np.random.default_rng(0)
    photo = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    labels = random.integers(0, 182, (SIDE, SIDE), dtype=np.uint8)
    for name in ("labels", "instances"):
        Image.fromarray(labels).save(tmp_path / f"{name}.png")

    def save(name: str, like: dict[str, torch.Tensor], **outputs: Array) -> None:
        shapes = {key: list(value.shape) for key, value in like.items()}
        meta = json.dumps({"seed": 0, "shapes": shapes})
        parameters = random_weights(shapes, 0)
        buffers = {
            f"buffer/{key}": value.numpy() for key, value in like.items() if key not in parameters
        }
        save_arrays(tmp_path / f"{name}.npz", {"meta": np.array(meta)} | buffers | outputs)

    def load(name: str) -> Path:
        torch.save(rebuild_weights(np.load(tmp_path / f"{name}.npz")), tmp_path / f"{name}.pth")
        return tmp_path / f"{name}.pth"

    config = GpuCheckConfig(
        device="cpu",
        golden=tmp_path,
        label_map=tmp_path / "labels.png",
        instance_map=tmp_path / "instances.png",
    )
    spade, photowct = spade_weights(), photowct_weights()
    save("spade_coco_dev", spade)
    generator = SpadeGenerator.from_checkpoint(load("spade_coco_dev"), COCO_STUFF)
    classes = torch.from_numpy(COCO_STUFF.decode(labels)[None])
    save("spade_coco_dev", spade, outputs=generator(classes).numpy())

    save("wct_dev", photowct)
    network = PhotoWCT.from_checkpoint(load("wct_dev"), dtype=torch.float64)
    content = torch.from_numpy(photo).permute(2, 0, 1) / torch.tensor(255.0).double()
    regions = torch.arange(SIDE * SIDE).view(SIDE, SIDE) % 2
    outputs: dict[str, Array] = {"content_seg1": regions.numpy(), "style_seg1": regions.numpy()}
    for number, map in enumerate((None, regions)):
        style = network.encode_style(content.flip(2) ** 2, map)
        stylized = network.stylize(content, [style], map)[0].permute(1, 2, 0)
        squared = (content.flip(2) ** 2 * 255).permute(1, 2, 0).numpy()
        outputs |= {
            f"content{number}": photo,
            f"style{number}": squared,
            f"stylized{number}": stylized.numpy(),
        }
    save("wct_dev", photowct, **outputs)

    smoothed = SmoothingSystem(photo).solve(photo[::-1] / np.float32(255))
    smoothing: dict[str, Array] = {
        "content0": photo,
        "stylized0": photo[::-1].copy(),
        "smoothed0": smoothed,
    }
    save_arrays(tmp_path / "smooth_dev.npz", smoothing)
    return config


def test_golden_outputs_are_compared_in_every_precision(golden: GpuCheckConfig) -> None:
    facts = {fact.name: fact for fact in check_golden(golden)}
    exact = [
        "smoothing by PyTorch: largest difference",
        "PhotoWCT, torch.float64, by region: relative RMS",
    ]
    exact.append("SPADE, torch.float32, dense: largest difference")
    for name in exact:
        assert facts[name].is_right, str(facts[name])
    for precision in ("torch.bfloat16", "torch.float16"):
        assert f"SPADE, {precision}, by distinct neighbourhoods: largest difference" in facts
        assert f"PhotoWCT, torch.float32 with {precision}, whole photos: relative RMS" in facts
    twice = [fact for fact in facts.values() if fact.name.endswith("between two runs")]
    assert len(twice) == 1 + 4 + 3
    assert all(fact.value == 0 for fact in twice)


def test_what_is_not_compared_is_said(golden: GpuCheckConfig) -> None:
    *_, last = check_golden(golden.model_copy(update={"instance_map": None}))
    assert str(last) == "SPADE: not checked: it needs --label-map and --instance-map"


def test_a_wrong_output_is_found(golden: GpuCheckConfig) -> None:
    assert golden.golden is not None
    path = golden.golden / "smooth_dev.npz"
    with np.load(path) as file:
        arrays = dict(file)
    save_arrays(path, arrays | {"smoothed0": arrays["smoothed0"] + 0.01})
    assert not next(iter(check_golden(golden))).is_right


@pytest.mark.long
def test_a_whole_job() -> None:
    pairs, rate, *stages = job_facts("cpu", 1, 3)
    assert pairs.is_right and pairs.value == 0
    assert isinstance(rate.value, float) and rate.value > 0
    assert len(stages) >= 5 and all(isinstance(fact.value, float) for fact in stages)
