"""What is to be done, and with which workers."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config import Job, JobConfig
from spadepis.pipeline.plan import make_plan
from spadepis.pipeline.resources import ClusterSize, allocate

BOTH = Job.SYNTHESIZE_AND_STYLIZE


def test_every_mask_gets_its_styles(
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    masks, styles = make_label_maps(tmp_path / "m", 5), make_photos(tmp_path / "s", 4)
    (tmp_path / "s/SOURCES.txt").write_text("")
    config = JobConfig(
        masks=masks, instances=masks, styles=styles, styles_per_mask=2, output="o", limit=4
    )
    with caplog.at_level(logging.WARNING):
        plan = make_plan(BOTH, config)
    assert "left out, not named like an image: 1 of the files" in caplog.text
    assert [scene.id for scene in plan.scenes] == [f"mask{i:03d}" for i in range(4)]
    assert plan.pairs == 8
    for scene in plan.scenes:
        assert scene.mask_source == scene.instance_source == f"{masks}/{scene.id}.png"
        for style in scene.styles:
            assert style.source == f"{styles}/{style.id}.jpg"

    first = plan.scenes[0]
    settled = {(first.id, style.id) for style in first.styles}
    settled.add((plan.scenes[1].id, plan.scenes[1].styles[0].id))
    rest = plan.without(settled)
    assert rest.pairs == 5
    assert [scene.id for scene in rest.scenes] == ["mask001", "mask002", "mask003"]


def test_a_missing_instance_map_keeps_its_name(
    make_label_maps: Callable[..., str], tmp_path: Path
) -> None:
    masks = make_label_maps(tmp_path / "m", 2)
    instances = make_label_maps(tmp_path / "i", 1)
    plan = make_plan(Job.SYNTHESIZE, JobConfig(masks=masks, instances=instances, output="o"))
    assert plan.scenes[1].instance_source == f"{instances}/mask001.png"


def test_too_few_styles(
    make_label_maps: Callable[..., str], make_photos: Callable[..., str], tmp_path: Path
) -> None:
    masks, styles = make_label_maps(tmp_path / "m"), make_photos(tmp_path / "s", 2)
    config = JobConfig(masks=masks, styles=styles, styles_per_mask=3, output="o")
    with pytest.raises(ConfigurationError, match=r"--styles-per-mask 3: .*/s holds 2"):
        make_plan(BOTH, config)


@pytest.mark.parametrize(
    ("cpus", "gpus"),
    [(1, 0), (2, 0), (3, 0), (8, 0), (64, 0), (1, 1), (8, 1), (8, 4), (64, 4)],
)
@pytest.mark.parametrize("job", list(Job))
def test_an_allocation_fits_its_cluster(cpus: int, gpus: int, job: Job) -> None:
    config = JobConfig(output="o", styles_per_mask=4)
    allocation = allocate(job, config, ClusterSize(cpus, gpus), scenes=1000)
    stages = [s for s in (allocation.synthesize, allocation.stylize, allocation.smooth) if s.count]
    assert len(stages) == {Job.SYNTHESIZE: 1, Job.STYLIZE: 2, BOTH: 3}[job]
    used = sum(stage.count * stage.cpus for stage in stages)
    used += sum(io.count * io.cpus for io in (allocation.read, allocation.write))
    assert used <= cpus + 1e-9
    assert all(stage.count and stage.cpus for stage in (allocation.read, allocation.write))
    assert sum(stage.count * stage.gpus for stage in stages) <= gpus
    assert allocation.device == ("cuda" if gpus else "cpu")
    if cpus >= 8 and not gpus:
        assert sum(stage.count for stage in stages) == cpus


def test_few_scenes_need_few_workers() -> None:
    allocation = allocate(BOTH, JobConfig(output="o"), ClusterSize(64, 0), scenes=2)
    assert allocation.workers == 6


def test_fixed_numbers_of_workers_are_kept() -> None:
    config = JobConfig(output="o", synthesis_workers=1, smoothing_workers=3, styles_per_mask=4)
    allocation = allocate(BOTH, config, ClusterSize(8, 0), scenes=100)
    assert allocation.synthesize.count == 1
    assert allocation.smooth.count == 3
    assert allocation.stylize.count == 4


def test_asking_for_more_than_there_is_is_an_error() -> None:
    config = JobConfig(output="o", smoothing_workers=3, synthesis_workers=2)
    with pytest.raises(ConfigurationError, match=r"5 workers are asked for, .* has 4 CPUs"):
        allocate(BOTH, config, ClusterSize(4, 0), scenes=100)
    with pytest.raises(ConfigurationError, match="no GPU"):
        allocate(BOTH, JobConfig(output="o", device="cuda"), ClusterSize(4, 0), scenes=100)
