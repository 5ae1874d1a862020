"""The stage on a pretended GPU: its precision, what overflows, and what it launches."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.device_transfer import on_host
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.spade.spectral_norm import fold_spectral_norm
from tools.pretended_gpu import PretendedGpu

Weights = dict[str, Tensor]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def overflowing(spade_weights: Callable[..., Weights], tmp_path: Path) -> tuple[str, int]:
    """A checkpoint whose float16 form overflows for one class, and that class."""
    weights = fold_spectral_norm(spade_weights())
    index = COCO_STUFF.names.index("grass")
    weights["fc.weight"][:, index] = 3e4
    safetensors.torch.save_file(weights, tmp_path / "net.safetensors")
    return str(tmp_path / "net.safetensors"), index


def scenes(index: int) -> list[Scene]:
    label_maps = np.random.default_rng(0).integers(0, index, (3, 32, 32), dtype=np.uint8)
    label_maps[1] = index
    return [
        Scene(str(i), [Style("s", "s")], label_map=label_map)
        for i, label_map in enumerate(label_maps)
    ]


def through(stage: Synthesize, given: list[Scene]) -> list[Scene]:
    """The scenes after the stage, downloaded."""
    results = stage(given)
    for scene in results:
        scene.content = None if scene.content is None else on_host(scene.content)
    return results


def test_a_scene_that_overflows_is_done_in_float32(
    overflowing: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint, index = overflowing
    caplog.set_level("INFO")
    expected = through(Synthesize(checkpoint, COCO_STUFF, "cpu", half=False), scenes(index))
    with PretendedGpu(capability=(7, 5)):
        stage = Synthesize(checkpoint, COCO_STUFF, "cuda", half=True)
        assert stage.generator.fc.weight.dtype == torch.float16
        results = through(stage, scenes(index))
    for result, exact in zip(results, expected, strict=True):
        assert result.content is not None and exact.content is not None
        difference = np.abs(result.content.astype(int) - exact.content)
        # What did not overflow is rounded to float16.
        assert difference.max() <= (1 if result.id == "1" else 2)
    assert [line for line in caplog.messages if "float32" in line] == [
        "1: overflows in half precision and is done in float32"
    ]


def test_what_overflows_in_float32_too_fails_alone(overflowing: tuple[str, int]) -> None:
    checkpoint, index = overflowing
    weights = safetensors.torch.load_file(checkpoint)
    weights["fc.weight"][:, index] = 3e38
    safetensors.torch.save_file(weights, checkpoint)
    stage = Synthesize(checkpoint, COCO_STUFF, "cpu", half=False)
    results = through(stage, scenes(index))
    assert [scene.has_failed for scene in results] == [False, True, False]
    (failure,) = results[1].failures
    assert (failure.stage, failure.error) == ("synthesize", "FloatingPointError")


def test_half_precision_is_bfloat16_where_the_card_has_it(overflowing: tuple[str, int]) -> None:
    with PretendedGpu(capability=(8, 0)):
        stage = Synthesize(overflowing[0], COCO_STUFF, "cuda", half=True)
        assert stage.generator.fc.weight.dtype == torch.bfloat16


def test_a_batch_keeps_its_limits(spade_checkpoint: str) -> None:
    labels = np.random.default_rng(0).integers(0, 183, (16, 64, 64), dtype=np.uint8)
    # Of half of each every pixel is alike.
    labels[:, :, 32:] = 7
    given = [Scene(str(i), [Style("s", "s")], label_map=label) for i, label in enumerate(labels)]
    with PretendedGpu() as gpu:
        stage = Synthesize(spade_checkpoint, COCO_STUFF, "cuda", half=True)
        # The first call folds the weights.
        through(stage, given[:1])
        gpu.restart()
        results = stage(given)
        counts = gpu.restart()
    assert all(scene.content is not None for scene in results)
    assert 0 < counts.launches.total() <= 200
    assert counts.synchronisations.total() == 1
    assert not counts.uploads.total() and not counts.float64.total()
    assert not counts.wrong_device.total()
