"""Several stages in one worker on a GPU, here a pretended one: images stay on it between them."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from spadepis.labels import COCO_STUFF
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages import device_transfer
from spadepis.pipeline.stages.assess_batches import AssessBatches
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.smooth_batches import SmoothBatches
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.stages.stylize import Stylize
from spadepis.pipeline.stages.synthesize import Synthesize
from spadepis.pipeline.workers.worker import Worker
from tools.pretended_gpu import PretendedGpu, PretendedTensor

SIZE = 64


@pytest.fixture
def scenes(tmp_path: Path) -> list[Scene]:
    """Two label maps in the same two styles."""
    generator = np.random.default_rng(0)
    styles = []
    for name in ("dusk", "dawn"):
        noise = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((SIZE, SIZE)).save(tmp_path / f"{name}.png")
        styles.append(Style(name, str(tmp_path / f"{name}.png")))
    blocks = generator.integers(0, 182, (2, 4, 4), dtype=np.uint8)
    label_maps = blocks.repeat(SIZE // 4, axis=1).repeat(SIZE // 4, axis=2)
    edges = np.zeros((SIZE, SIZE), np.bool_)
    return [
        Scene(str(i), list(styles), f"{i}.png", label_map=label_map, edges=edges)
        for i, label_map in enumerate(label_maps)
    ]


def stages(spade: str, photowct: str, device: str) -> list[StageSpec]:
    network = {"device": device, "half": False}
    synthesis = {"checkpoint": spade, "label_space": COCO_STUFF, **network}
    stylization = {"checkpoint": photowct, "longest_side": SIZE, "max_pixels": 10**6, **network}
    return [
        StageSpec(Synthesize, synthesis),
        StageSpec(Stylize, stylization),
        StageSpec(SmoothBatches, {"device": device}),
        StageSpec(AssessBatches, {"checkpoint": photowct, "max_pixels": 10**6, "device": device}),
    ]


@pytest.mark.usefixtures("process_settings")
def test_images_leave_a_gpu_once(
    spade_checkpoint: str, photowct_checkpoint: str, scenes: list[Scene]
) -> None:
    expected = Worker(stages(spade_checkpoint, photowct_checkpoint, "cpu"))(scenes)
    with PretendedGpu() as gpu:
        worker = Worker(stages(spade_checkpoint, photowct_checkpoint, "cuda"))
        worker(scenes)
        gpu.restart()
        found = worker(scenes)
        moved = gpu.restart()
    downloads = {
        place: count
        for place, count in moved.synchronisations.items()
        if place.startswith("pipeline/")
    }
    # The images once; before that the metrics, and whether what each network made was finite.
    assert sum(downloads.values()) == 4
    assert all("device_transfer" in place or "assess" in place for place in downloads)
    for one, other in zip(found, expected, strict=True):
        assert one.failures == [] and len(one.results) == 2
        assert set(one.seconds) == {"synthesize", "stylize", "smooth", "assess"}
        pairs = zip([one.content, *one.results], [other.content, *other.results], strict=True)
        for image, expected_image in pairs:
            assert isinstance(image, np.ndarray)
            difference = np.abs(image.astype(int) - np.asarray(expected_image))
            assert difference.mean() < 0.5


class OnGpu:
    """Puts an image onto the GPU."""

    declaration: ClassVar = Declaration("on gpu", devices=("cpu", "cuda"))

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        for scene in scenes:
            levels = device_transfer.upload(np.full((1, 2, 2, 3), 7, np.uint8), self.device)
            (scene.content,) = device_transfer.split_batch(levels)
            assert isinstance(scene.content, PretendedTensor)
        return scenes


class OnCpu:
    """Needs an array."""

    declaration: ClassVar = Declaration("on cpu")

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        for scene in scenes:
            assert isinstance(scene.content, np.ndarray)
            scene.content = scene.content + np.uint8(1)
        return scenes


@pytest.mark.usefixtures("process_settings")
def test_a_stage_on_a_cpu_gets_arrays() -> None:
    with PretendedGpu():
        worker = Worker([StageSpec(OnGpu, {"device": "cuda"}), StageSpec(OnCpu)])
        (scene,) = worker([Scene("a", [])])
    np.testing.assert_array_equal(np.asarray(scene.content), np.full((2, 2, 3), 8))


class Meet:
    """Finds out whether two threads are in it at a time."""

    declaration: ClassVar = Declaration("meet")
    inside = 0
    most = 0

    def __call__(self, scenes: list[Any]) -> list[Any]:
        Meet.inside += 1
        Meet.most = max(Meet.most, Meet.inside)
        threading.Event().wait(0.02)
        Meet.inside -= 1
        return scenes


@pytest.mark.usefixtures("process_settings")
def test_one_batch_at_a_time_goes_through_the_stages() -> None:
    worker = Worker([StageSpec(Meet), StageSpec(Meet)], patience=30.0)
    threads = [threading.Thread(target=worker, args=([Scene("a", [])],)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Meet.most == 1


class Fail:
    """Fails all scenes, so that there are no images that could be waited for."""

    declaration: ClassVar = Declaration("fail", devices=("cpu", "cuda"))

    def __init__(self, device: str) -> None:
        self.device = device

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        for scene in scenes:
            scene.fail("fail", None, ValueError("why"))
        return scenes


class SlowEvent:
    """An event that a GPU reaches no sooner than somebody waits for it, or for a later one."""

    recorded: ClassVar[list["SlowEvent"]] = []

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.reached = False

    def record(self) -> None:
        self.recorded.append(self)

    def synchronize(self) -> None:
        for event in self.recorded[: self.recorded.index(self) + 1]:
            event.reached = True

    def elapsed_time(self, end: "SlowEvent") -> float:
        assert self.reached and end.reached
        return 5.0


@pytest.mark.usefixtures("process_settings")
def test_scenes_without_images_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.Event", SlowEvent)
    worker = Worker([StageSpec(Fail, {"device": "cuda"})] * 2)
    (scene,) = worker([Scene("a", [Style("s", "s.png")])])
    assert scene.has_failed
    assert len(SlowEvent.recorded) == 3 and SlowEvent.recorded[-1].reached


def test_downloaded_images_are_those_that_were_there() -> None:
    images: Sequence[NDArray[np.uint8]] = [np.full((2, 3, 3), i, np.uint8) for i in range(3)]
    with PretendedGpu():
        (content,) = device_transfer.split_batch(device_transfer.upload(images[0][None], "cuda"))
        scene = Scene("a", [], content=content, results=[images[1], content])
        device_transfer.start_download([scene])()
    for found, index in zip([scene.content, *scene.results], (0, 1, 0), strict=True):
        np.testing.assert_array_equal(np.asarray(found), images[index])
