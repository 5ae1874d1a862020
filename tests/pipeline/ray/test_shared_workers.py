"""Workers that take a GPU: several threads call one, with the allocator that suits GPUs."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import sleep
from typing import ClassVar

import pytest
import ray

from spadepis.pipeline.ray.actors import hosting
from spadepis.pipeline.ray.rows import from_table, to_table
from spadepis.pipeline.ray.streaming import stream
from spadepis.pipeline.resources.allocation import Workers
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.stage import StageSpec
from spadepis.pipeline.workers.pool import Pool

BLOCKS = 6
# In a process of its own, because the other tests share a cluster.
pytestmark = pytest.mark.xdist_group("ray")


class Say:
    """Says which process it is in, and the settings of the allocator there."""

    declaration: ClassVar = Declaration("say")

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        sleep(0.05)
        for scene in scenes:
            said = f"{os.getpid()} {os.environ['PYTORCH_ALLOC_CONF']} "
            scene.mask_source = (scene.mask_source or "") + said
        return scenes


class SayMore(Say):
    """Does so again."""

    declaration: ClassVar = Declaration("say more")


def what_workers_say() -> list[str | None]:
    """On a cluster of its own, what the workers of both stages say of each scene."""
    ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    pool = Pool([StageSpec(Say), StageSpec(SayMore)], Workers(1, cpus=0.0, gpus=1.0, device="cuda"))
    blocks = [to_table([Scene(str(i), [])]) for i in range(BLOCKS)]
    dataset = stream(blocks, [hosting(pool, 60.0)], {}, elastic=False)
    tables = dataset.iter_batches(batch_size=None, batch_format="pyarrow")
    scenes = [scene for table in tables for scene in from_table(table)]
    assert sorted(scene.id for scene in scenes) == [str(i) for i in range(BLOCKS)]
    return [scene.mask_source for scene in scenes]


def test_all_blocks_go_through_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        said = process.submit(what_workers_say).result()
    # Both stages were in the same process, for all blocks.
    (said_of_each,) = set(said)
    process_id, setting, *again = (said_of_each or "").split()
    assert again == [process_id, setting]
    assert setting == "expandable_segments:True"
