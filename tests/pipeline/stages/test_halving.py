"""What stages do when a device runs out of memory, and smoothing in batches."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.halving import in_halves
from spadepis.pipeline.stages.smooth import Smooth
from spadepis.pipeline.stages.smooth_batches import SmoothBatches
from spadepis.pipeline.stages.stylize import Stylize
from spadepis.pipeline.stages.synthesize import Synthesize


def photo(
    seed: int, height: int = 32, width: int = 32
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    coarse = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return coarse.repeat(height // 4, 0).repeat(width // 4, 1)


def test_a_batch_is_halved_until_it_fits() -> None:
    done: list[int] = []
    given_up: list[int] = []
    tried: list[int] = []

    def work(items: Sequence[int]) -> None:
        tried.append(len(items))
        if len(items) > 2 or 5 in items:
            raise torch.OutOfMemoryError("too much")
        done.extend(items)

    in_halves(work, list(range(8)), lambda item, error: given_up.append(item))
    assert done == [0, 1, 2, 3, 4, 6, 7]
    assert given_up == [5]
    assert tried == [8, 4, 2, 2, 4, 2, 1, 1, 2]


def test_a_batch_on_a_broken_device_is_not_halved() -> None:
    def work(items: Sequence[int]) -> None:
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    with pytest.raises(torch.AcceleratorError):
        in_halves(work, [1, 2], lambda *_: pytest.fail("given up"))


def test_other_errors_halve_a_batch_only_if_that_is_wanted() -> None:
    given_up: list[int] = []

    def work(items: Sequence[int]) -> None:
        raise ValueError

    with pytest.raises(ValueError):
        in_halves(work, [1, 2], lambda *_: None)
    in_halves(work, [1, 2], lambda item, _: given_up.append(item), (ValueError,))
    assert given_up == [1, 2]


def test_synthesis_goes_on_with_less_memory(
    spade_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Synthesize(spade_checkpoint, COCO_STUFF, "cpu", half=False)
    monkeypatch.setattr(stage, "batch", 4)
    scenes = [
        Scene(str(i), [Style("s", "s.png")], "m.png", label_map=np.full((32, 32), i, np.uint8))
        for i in range(4)
    ]
    whole = stage([scene.copy() for scene in scenes])
    batches: list[int] = []

    def limited(labels: Tensor, edges: Tensor | None, seeds: Tensor) -> Tensor:
        batches.append(len(labels))
        if len(labels) > 2:
            raise RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")
        if len(labels) > 1 or labels.flatten()[0] == 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(labels, edges, seeds)

    forward: Callable[[Tensor, Tensor | None, Tensor], Tensor] = stage.generator
    monkeypatch.setattr(stage, "generator", limited)
    halved = stage([scene.copy() for scene in scenes])
    assert batches == [4, 2, 1, 1, 2, 1, 1]
    for one, other in zip(whole[:3], halved[:3], strict=True):
        assert one.content is not None and other.content is not None
        assert np.abs(one.content.astype(int) - other.content).max() <= 1
    (failure,) = halved[3].failures
    assert (failure.stage, failure.error) == ("synthesize", "OutOfMemoryError")


def test_stylization_goes_on_with_fewer_styles_at_once(
    photowct_checkpoint: str, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    styles = []
    for i in range(3):
        path = os.path.join(tmp_path, f"{i}.png")
        Image.fromarray(photo(i + 1)).save(path)
        styles.append(Style(str(i), path))
    stage = Stylize(photowct_checkpoint, "cpu", half=False, longest_side=64, max_pixels=10_000)
    scene = Scene("a", styles, photo_source="p.png", content=photo(0))
    (whole,) = stage([scene.copy()])
    stylize = stage.network.stylize

    def limited(content: Tensor, styles: Sequence[object], *more: Any, **settings: Any) -> Tensor:
        if len(styles) > 1:
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")
        return stylize(content, styles, *more, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.network, "stylize", limited)
    (halved,) = stage([scene.copy()])
    np.testing.assert_array_equal(np.stack(halved.results), np.stack(whole.results))


def test_smoothing_in_batches_equals_smoothing_one_by_one() -> None:
    shapes = [(32, 32, 1), (32, 40, 2), (32, 32, 1), (32, 32, 2)]
    scenes = [
        Scene(
            str(i),
            [Style(str(k), None) for k in range(styles)],
            content=photo(i, height, width),
            results=[photo(10 * i + k + 1, height, width) for k in range(styles)],
        )
        for i, (height, width, styles) in enumerate(shapes)
    ]
    scenes.append(Scene("failed", []))
    singly = Smooth()([scene.copy() for scene in scenes])
    batched = SmoothBatches("cpu")(scenes)
    for one, other, (_, _, styles) in zip(singly, batched, shapes, strict=False):
        assert len(other.results) == styles
        assert other.seconds["smooth"] > 0
        difference = np.abs(np.stack(one.results).astype(int) - np.stack(other.results))
        assert difference.max() <= 1
    assert batched[-1].results == []
