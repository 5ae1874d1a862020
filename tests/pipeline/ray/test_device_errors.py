"""A job whose networks do not fit onto the GPU ends with one line."""

from typing import ClassVar

import pytest
import torch
from ray.data import DataContext

from spadepis.pipeline.ray.actors import hosting
from spadepis.pipeline.ray.cluster import errors_of_workers
from spadepis.pipeline.ray.rows import to_table
from spadepis.pipeline.ray.streaming import stream
from spadepis.pipeline.repeated_errors import RepeatedError
from spadepis.pipeline.resources.allocation import Workers
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.workers.pool import Pool


class Large:
    """A stage whose networks fit onto no GPU."""

    declaration: ClassVar = Declaration("large")

    def __init__(self) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        return scenes


@pytest.mark.usefixtures("cluster")
def test_networks_that_do_not_fit_end_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataContext.get_current(), "raise_original_map_exception", True)
    actors = hosting(Pool([StageSpec(Large)], Workers(1, cpus=1)), 60.0)
    dataset = stream([to_table([Scene("a", [])])], [actors], {}, elastic=False)
    message = r"^large: a worker cannot start, .* memory left \(CUDA out of memory\);"
    with pytest.raises(RepeatedError, match=message), errors_of_workers():
        dataset.materialize()
