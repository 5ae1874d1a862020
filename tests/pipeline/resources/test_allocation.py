"""How a cluster is shared among the stages."""

from pathlib import Path

import pytest
import torch

from spadepis.configuration import ConfigurationError
from spadepis.labels import ADE20K, CITYSCAPES
from spadepis.pipeline.config.command import command_of
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import resolve
from spadepis.pipeline.resources.allocation import ClusterSize, allocate
from spadepis.pipeline.resources.rates import CARDS, CPU_RATES, USUAL_STYLES, cores_of
from spadepis.pipeline.resources.trial import seconds_per_scene
from spadepis.pipeline.stages.declarations import (
    ASSESS,
    READ,
    SMOOTH,
    STYLIZE,
    SYNTHESIZE,
    WRITE,
    Declaration,
)
from tests.support.networks import spade_weights

SECONDS = {SYNTHESIZE: 1.0, STYLIZE: 2.7, SMOOTH: 0.5, ASSESS: 0.2}
STAGES = {
    Job.SYNTHESIZE: (SYNTHESIZE, ASSESS),
    Job.STYLIZE: (STYLIZE, SMOOTH, ASSESS),
    Job.SYNTHESIZE_AND_STYLIZE: (SYNTHESIZE, STYLIZE, SMOOTH, ASSESS),
}


@pytest.mark.parametrize(
    ("cpus", "gpus"),
    [(1, 0), (2, 0), (3, 0), (8, 0), (64, 0), (1, 1), (8, 1), (8, 4), (64, 4)],
)
@pytest.mark.parametrize("job", list(Job))
def test_an_allocation_fits_its_cluster(cpus: int, gpus: int, job: Job) -> None:
    seconds = {stage: SECONDS[stage] for stage in STAGES[job]}
    config = MachineSettings()
    allocation = allocate(config, ClusterSize(cpus, gpus), 1000, seconds)
    assert tuple(allocation) == (READ, *STAGES[job], WRITE)
    used = sum(workers.count * workers.cpus for workers in allocation.values())
    assert used <= cpus + 1e-9
    assert all(allocation[stage].count and allocation[stage].cpus for stage in (READ, WRITE))
    # Stages on GPUs share their workers.
    shared = {id(workers): workers for workers in allocation.values() if workers.gpus}
    assert sum(workers.count * workers.gpus for workers in shared.values()) == gpus
    networks = {SYNTHESIZE, STYLIZE} & set(seconds)
    assert {allocation[stage].device for stage in networks} == {"cuda" if gpus else "cpu"}
    if cpus >= 8 and not gpus:
        assert sum(allocation[stage].count for stage in seconds) == cpus


def test_the_slowest_stage_gets_the_spare_cpus() -> None:
    config = MachineSettings()
    for slowest in SECONDS:
        seconds = dict.fromkeys(SECONDS, 1.0) | {slowest: 6.0}
        allocation = allocate(config, ClusterSize(8, 0), 1000, seconds)
        assert allocation[slowest].count == 5


def test_no_stage_of_a_long_job_on_one_node_keeps_the_others_waiting() -> None:
    config, two = MachineSettings(), ClusterSize(2, 0)
    assert allocate(config, two, 1000, SECONDS)[STYLIZE].count == 1
    allocation = allocate(config, two, 1000, SECONDS, one_node=True)
    # Of 4.4 seconds a scene two CPUs take 2.2 at best, and one worker would take 2.7.
    stages = [allocation[stage] for stage in SECONDS]
    assert [stage.count for stage in stages] == [1, 2, 1, 1]
    assert sum(stage.count * stage.cpus for stage in stages) == pytest.approx(1.8)
    shorter = allocate(config, two, 30, SECONDS, one_node=True)
    assert shorter[STYLIZE].count == 1


@pytest.mark.parametrize(
    ("scenes", "cpus", "workers"), [(1, 8, 1), (2, 8, 1), (20, 2, 2), (20, 8, 4), (27, 64, 5)]
)
def test_in_a_short_job_each_worker_hosts_all_stages(scenes: int, cpus: int, workers: int) -> None:
    def shared(machines: MachineSettings, scenes: int, one_node: bool, gpus: int = 0) -> bool:
        cluster = ClusterSize(cpus, gpus)
        allocation = allocate(machines, cluster, scenes, SECONDS, one_node=one_node)
        return allocation[READ] is allocation[SMOOTH]

    allocation = allocate(MachineSettings(), ClusterSize(cpus, 0), scenes, SECONDS, one_node=True)
    first, *others = allocation.values()
    assert tuple(allocation) == (READ, *SECONDS, WRITE)
    assert all(each is first for each in others)
    assert first.shared and first.count == workers
    assert 0 < first.count * first.cpus <= cpus

    asked = MachineSettings(smoothing_workers=1)
    assert shared(MachineSettings(), scenes, one_node=True)
    assert not shared(MachineSettings(), 28, one_node=True)
    assert not shared(MachineSettings(), scenes, one_node=False)
    assert not shared(MachineSettings(), scenes, one_node=True, gpus=1)
    assert not shared(asked, scenes, one_node=True)


def test_smoothing_moves_to_the_gpus_where_cpus_are_few() -> None:
    config = MachineSettings()
    starved = allocate(config, ClusterSize(4, 1, "h100"), 1000, SECONDS)
    assert (starved[SMOOTH].device, starved[SMOOTH].count) == ("cuda", 1)
    assert starved[SMOOTH] is starved[STYLIZE] and starved[SMOOTH].gpus == 1
    rich = allocate(config, ClusterSize(1000, 1, "t4"), 1000, SECONDS)
    assert (rich[SMOOTH].device, rich[SMOOTH].gpus) == ("cpu", 0)
    assert rich[SMOOTH].count > rich[ASSESS].count > 10
    fixed = MachineSettings(smoothing_device="cpu")
    kept = allocate(fixed, ClusterSize(2, 1), 1000, SECONDS)
    assert (kept[STYLIZE].device, kept[SMOOTH].device) == ("cuda", "cpu")
    alone = MachineSettings(device="cpu", smoothing_device="cuda")
    smoothing = allocate(alone, ClusterSize(8, 1), 1000, SECONDS)
    assert [smoothing[stage].device for stage in (STYLIZE, SMOOTH)] == ["cpu", "cuda"]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize(("cpus", "gpus"), [(4, 1), (16, 1), (64, 8), (512, 8)])
def test_every_gpu_has_one_worker_with_all_networks(cpus: int, gpus: int, card: str) -> None:
    allocation = allocate(MachineSettings(), ClusterSize(cpus, gpus, card), 10_000, SECONDS)
    networks = allocation[SYNTHESIZE]
    assert networks is allocation[STYLIZE]
    assert (networks.count, networks.gpus, networks.cpus) == (gpus, 1, 0)
    others = {stage: each for stage, each in allocation.items() if not each.gpus}
    assert sum(each.count * each.cpus for each in others.values()) <= cpus
    # Reading and writing keep up with the slowest of the others, or all CPUs do them.
    scene = max(
        SECONDS[stage] / (cores_of(card, stage) if each.gpus else 1) / each.count
        for stage, each in allocation.items()
        if stage in SECONDS
    )
    reading = allocation[READ].count * CPU_RATES[READ]
    writing = allocation[WRITE].count * CPU_RATES[WRITE] / USUAL_STYLES
    for stage, rate in ((READ, reading), (WRITE, writing)):
        assert rate >= 1 / scene or allocation[stage].count == cpus


def test_few_scenes_need_few_workers() -> None:
    allocation = allocate(MachineSettings(), ClusterSize(64, 0), 2, SECONDS)
    assert sum(allocation[stage].count for stage in SECONDS) == 8


def test_fixed_numbers_of_workers_are_kept() -> None:
    config = MachineSettings(synthesis_workers=1, smoothing_workers=3)
    allocation = allocate(config, ClusterSize(8, 0), 100, SECONDS)
    assert allocation[SYNTHESIZE].count == 1
    assert allocation[SMOOTH].count == 3
    assert (allocation[STYLIZE].count, allocation[ASSESS].count) == (3, 1)


def test_asking_for_more_than_there_is_is_an_error() -> None:
    config = MachineSettings(smoothing_workers=3, synthesis_workers=2)
    with pytest.raises(ConfigurationError, match=r"5 workers are asked for, .* has 4 CPUs"):
        allocate(config, ClusterSize(4, 0), 100, SECONDS)
    for name in ("device", "smoothing_device"):
        config = MachineSettings.model_validate({name: "cuda"})
        with pytest.raises(ConfigurationError, match=f"{name.replace('_', '-')} cuda: .* no GPU"):
            allocate(config, ClusterSize(4, 0), 100, SECONDS)


def test_the_trial_times_the_stages_of_the_job(
    spade_checkpoint: str, photowct_checkpoint: str
) -> None:
    inputs = {"masks": "m", "photos": "p", "styles": "s"}
    checkpoints = {"spade_checkpoint": spade_checkpoint, "photowct_checkpoint": photowct_checkpoint}
    settings = inputs | checkpoints | {"output": "o", "size": "64x32"}
    for job, stages in STAGES.items():
        elsewhere = command_of(job).elsewhere
        own = {name: value for name, value in settings.items() if name not in elsewhere}
        seconds = seconds_per_scene(resolve(job, own), styles=2)
        assert tuple(seconds) == stages
        assert all(value > 0 for value in seconds.values())


@pytest.mark.parametrize("space", ["coco-stuff", "ade20k"])
def test_the_trial_pads_instance_edges_where_there_are_any(
    space: str, tmp_path: Path, spade_checkpoint: str
) -> None:
    if space == "ade20k":
        spade_checkpoint = str(tmp_path / "ade20k.pth")
        torch.save(spade_weights(ADE20K), spade_checkpoint)
    settings = {"masks": "m", "instances": "i", "keep_instances": True, "output": "o"}
    settings |= {"spade_checkpoint": spade_checkpoint, "label_space": space, "size": "70x33"}
    assert seconds_per_scene(resolve(Job.SYNTHESIZE, settings), styles=1)[SYNTHESIZE] > 0


def test_a_generator_of_ones_own_runs_where_it_says() -> None:
    cluster = ClusterSize(16, 1, "h100")
    for devices, device in ((("cpu",), "cpu"), (("cpu", "cuda"), "cuda")):
        own = Declaration("synthesize", devices, per_result=False)
        for others in ((), (STYLIZE, SMOOTH, ASSESS)):
            seconds = {own: 1.0} | {stage: SECONDS[stage] for stage in others}
            allocation = allocate(MachineSettings(), cluster, 1000, seconds)
            assert allocation[own].device == device
            assert (allocation[own].gpus > 0) == (device == "cuda")
            if others:
                assert allocation[STYLIZE].device == "cuda"


def test_smoothing_of_ones_own_may_not_run_on_gpus() -> None:
    own = Declaration("smooth", ("cpu",))
    seconds = {SYNTHESIZE: 1.0, STYLIZE: 1.0, own: 1.0}
    machines = MachineSettings(smoothing_device="cuda")
    with pytest.raises(ConfigurationError, match="--smoothing-device cuda: the stages of your own"):
        allocate(machines, ClusterSize(8, 1), 1000, seconds)


def test_numbers_of_workers_on_gpus_are_those_asked_for() -> None:
    machines = MachineSettings(
        synthesis_workers=4, stylization_workers=4, smoothing_workers=4, smoothing_device="cuda"
    )
    for cpus in (4, 64):
        allocation = allocate(machines, ClusterSize(cpus, 8, "h100"), 1000, SECONDS)
        workers = {allocation[stage] for stage in (SYNTHESIZE, STYLIZE, SMOOTH)}
        assert [each.count for each in workers] == [4] and [each.gpus for each in workers] == [1]


def test_the_trial_shows_classes_that_can_be_written(
    tmp_path: Path, spade_checkpoint: str, photowct_checkpoint: str
) -> None:
    path = tmp_path / "cityscapes.pth"
    torch.save(spade_weights(CITYSCAPES), path)
    settings = {"masks": "m", "styles": "s", "style_masks": "t", "output": "o", "size": "64x32"}
    settings |= {"spade_checkpoint": str(path), "photowct_checkpoint": photowct_checkpoint}
    for space in ("cityscapes", "cityscapes-train-ids"):
        config = resolve(Job.SYNTHESIZE_AND_STYLIZE, settings | {"label_space": space})
        assert all(seconds_per_scene(config, styles=1).values())


def test_all_workers_have_room_before_the_cluster_has_grown() -> None:
    """Else reading would wait for a node that comes when something is read."""
    seconds = dict.fromkeys((SYNTHESIZE, STYLIZE, SMOOTH, ASSESS), 0.05)
    machines = MachineSettings(smoothing_device="cpu", smoothing_workers=1)
    for full, present in ((4, 2), (64, 2), (64, 16), (2, 2)):
        allocation = allocate(machines, ClusterSize(full, 1), 500, seconds, ClusterSize(present, 1))
        on_cpus = [workers for workers in allocation.values() if not workers.gpus]
        assert sum(workers.at_first * workers.cpus for workers in on_cpus) <= present + 1e-9
