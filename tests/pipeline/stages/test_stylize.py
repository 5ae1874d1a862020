"""Scenes stylized together, as on a GPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.device_transfer import start_download
from spadepis.pipeline.stages.stylize import Stylize
from tools.pretended_gpu import PretendedGpu

Weights = dict[str, Tensor]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def hot(photowct_weights: Callable[..., Weights], tmp_path: Path) -> str:
    """A checkpoint of PhotoWCT whose features exceed what float16 can hold."""
    weights = photowct_weights()
    for level in (1, 2, 3, 4):
        weights[f"e{level}.conv1_1.weight"] *= 3e5
        weights[f"d{level}.conv1_1.weight"] /= 3e5
    safetensors.torch.save_file(weights, tmp_path / "wct.safetensors")
    return str(tmp_path / "wct.safetensors")


def stylized(checkpoint: str, device: str, half: bool, folder: Path) -> list[Scene]:
    random = np.random.default_rng(0)
    styles = []
    for i, size in enumerate([(32, 40), (32, 40), (24, 36)]):
        Image.fromarray(random.integers(0, 255, (*size, 3), np.uint8)).save(folder / f"{i}.png")
        styles.append(Style(str(i), str(folder / f"{i}.png")))
    contents = [random.integers(0, 255, (*size, 3), np.uint8) for size in [(32, 32), (32, 40)] * 2]
    stage = Stylize(checkpoint, device, half, longest_side=64, max_pixels=10_000)
    scenes = [
        Scene(str(i), styles[: 2 + (i == 2)], content=content) for i, content in enumerate(contents)
    ]
    return [start_and_finish(scene) for scene in stage(scenes)]


def rms(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """In levels of 255; single pixels differ more, as random weights amplify rounding."""
    return float(np.sqrt(np.square(a.astype(float) - b).mean()))


def start_and_finish(scene: Scene) -> Scene:
    start_download([scene])()
    return scene


def test_a_pair_that_overflows_is_stylized_in_float32(
    hot: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with PretendedGpu():
        expected = stylized(hot, "cuda", False, tmp_path)
        results = stylized(hot, "cuda", True, tmp_path)
    for result, exact in zip(results, expected, strict=True):
        assert len(result.results) == len(exact.results) == len(result.styles)
        for ours, theirs in zip(result.results, exact.results, strict=True):
            assert theirs.std() > 1
            assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert len([line for line in caplog.messages if "float32" in line]) == 9


def test_scenes_stylized_together_keep_their_order(
    photowct_checkpoint: str, tmp_path: Path
) -> None:
    expected = stylized(photowct_checkpoint, "cpu", False, tmp_path)
    with PretendedGpu():
        results = stylized(photowct_checkpoint, "cuda", False, tmp_path)
    for result, exact in zip(results, expected, strict=True):
        assert result.id == exact.id and result.seconds["stylize"] > 0
        for ours, theirs in zip(result.results, exact.results, strict=True):
            assert rms(ours, theirs) < 0.5
