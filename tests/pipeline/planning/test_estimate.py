import sys
from pathlib import Path

import pytest
from PIL import Image

from spadepis.cli import main as cli
from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.groups import MachineSettings
from spadepis.pipeline.planning.estimate import (
    CONTENT_BYTES,
    MASK_BYTES,
    PLANNED,
    RESULT_BYTES,
    estimate,
)
from spadepis.pipeline.resources.allocation import ClusterSize, allocate
from spadepis.pipeline.resources.rates import CPU_RATES, Rate
from spadepis.pipeline.stages.declarations import ASSESS, SMOOTH, STYLIZE, SYNTHESIZE

RATES = {SYNTHESIZE: 1.0, STYLIZE: 2.0, SMOOTH: 8.0, ASSESS: 100.0}


def test_hours_are_those_of_the_workers_that_the_job_has() -> None:
    found = estimate(7200, 4, ClusterSize(16, 0), RATES, {})
    assert found.pairs == 28_800
    assert found.bytes_out == 7200 * (CONTENT_BYTES + MASK_BYTES + 4 * RESULT_BYTES)
    seconds = {SYNTHESIZE: 1.0, STYLIZE: 2.0, SMOOTH: 0.5, ASSESS: 0.04}
    workers = allocate(MachineSettings(), ClusterSize(16, 0), 7200, seconds)
    assert [stage.workers for stage in found.stages] == [workers[each].count for each in seconds]
    assert sum(stage.workers for stage in found.stages) == 16
    for stage, each in zip(found.stages, seconds.values(), strict=True):
        assert stage.hours == pytest.approx(2 * each / stage.workers)
    assert found.hours == max(stage.hours for stage in found.stages)
    slowest = max(found.stages, key=lambda stage: stage.hours)
    assert found.bottleneck == slowest.name


def test_stages_that_share_a_gpu_take_turns() -> None:
    found = estimate(
        7200,
        4,
        ClusterSize(8192, 2),
        RATES,
        {SYNTHESIZE: Rate(2.0, True), STYLIZE: Rate(4.0, True)},
    )
    by_name = {stage.name: stage for stage in found.stages}
    assert [by_name[stage.name].device for stage in RATES] == ["cuda", "cuda", "cpu", "cpu"]
    assert by_name["synthesize"].hours == pytest.approx(0.5)
    assert by_name["stylize"].hours == pytest.approx(0.5 * 2)
    assert found.bottleneck == "GPUs"
    assert found.hours == pytest.approx(1.5)


def test_more_workers_than_cpus_take_turns_as_well() -> None:
    found = estimate(3600, 1, ClusterSize(1, 0), RATES, {})
    assert [stage.workers for stage in found.stages] == [1, 1, 1, 1]
    assert found.bottleneck == "CPUs"
    assert found.hours == pytest.approx(1 + 1 / 2 + 1 / 8 + 1 / 100)


@pytest.mark.parametrize(
    ("cpus", "missing"),
    [(4096, "--gpu-stylization-rate"), (1, "--gpu-stylization-rate, --gpu-smoothing-rate")],
)
def test_a_rate_of_the_gpu_that_is_needed_is_asked_for(cpus: int, missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"give --gpu-type, or {missing}$"):
        estimate(100, 4, ClusterSize(cpus, 1), RATES, {SYNTHESIZE: Rate(2.0, True)})


def test_the_split_of_coco_takes_the_core_hours_of_the_benchmarks() -> None:
    """docs/benchmarks.md: 19.6, 42.7 and 7.4."""
    found = estimate(
        118_287, 4, ClusterSize(64, 0), {stage: CPU_RATES[stage] for stage in PLANNED}, {}
    )
    core_hours = [stage.hours * stage.workers for stage in found.stages[:3]]
    assert core_hours == pytest.approx([19.6, 42.7, 7.4], abs=0.05)


def run_plan(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["spadepis", "plan", *arguments])
    return cli.main()


def test_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for i in range(3):
        Image.new("L", (4, 4)).save(masks / f"{i}.png")
    given = ["--masks", str(masks), "--styles-per-mask", "4", "--cpus", "8"]
    assert run_plan(monkeypatch, *given) == 0
    shown = capsys.readouterr().out
    assert "pairs    12 of 3 label maps" in shown
    assert "about 390 kB, at 256x256" in shown
    assert "bottleneck: stylize" in shown
    assert run_plan(monkeypatch, *given, "--gpus", "1") == 2
    assert "--gpu-synthesis-rate, --gpu-stylization-rate" in capsys.readouterr().err
    assert run_plan(monkeypatch, "--masks", str(tmp_path / "none"), "--cpus", "8") == 2
    assert run_plan(monkeypatch, *given, "--gpus", "1", "--gpu-type", "l4") == 0
    computed = [line for line in capsys.readouterr().out.splitlines() if "not measured" in line]
    assert [line.split()[0] for line in computed] == ["synthesize", "stylize"]
    for without_gpus in (["--gpu-type", "l4"], ["--gpu-smoothing-rate", "5"]):
        assert run_plan(monkeypatch, *given, *without_gpus) == 2
        assert "need --gpus" in capsys.readouterr().err
    for wrong, reason in (
        (["--cpus", "0"], "0 is not above 0"),
        (["--cpus", "1.5"], "1.5 is no whole number"),
        (["--gpus", "-1"], "-1 is below 0"),
        (["--smoothing-rate", "nan"], "nan is not above 0"),
        (["--smoothing-rate", "fast"], "fast is no number"),
    ):
        with pytest.raises(SystemExit):
            run_plan(monkeypatch, *given, *wrong)
        assert f"{reason}\n" in capsys.readouterr().err
