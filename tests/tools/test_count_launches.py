"""What each stage launches, on small images and networks."""

import json
from pathlib import Path

import pytest

from spadepis.pipeline.resources.rates import USUAL_STYLES, WORK
from spadepis.pipeline.stages.declarations import ASSESS, STYLIZE, SYNTHESIZE
from tools.count_launches import HEADER, run

# More launches or waits than these are a step back; docs/benchmarks.md has those of today.
LIMITS = {
    "SPADE, batch of 1": (200, 1),
    "SPADE, batch of 16": (200, 1),
    "PhotoWCT, a style alone": (330, 0),
    "PhotoWCT, a style of 4 together": (90, 0),
    "PhotoWCT, K = 1": (350, 0),
    "PhotoWCT, K = 4": (350, 0),
    "PhotoWCT, K = 4, a scene of 16 together": (60, 0),
    "PhotoWCT, K = 4, 4 regions": (520, 0),
    "PhotoWCT, K = 4, 4 regions, a scene of 16 together": (60, 0),
    "smoothing by PyTorch, assembly": (220, 0),
    "smoothing by Triton, a batch of black photos": (80, 1),
    "smoothing by PyTorch, an iteration": (18, 0.07),
    "smoothing by Triton, an iteration": (2.1, 0),
    "quality metrics, each of 64 results together": (5, 1),
}
# What the launches of plans were counted as, and how many items that is.
PLANNED = {
    SYNTHESIZE: ("SPADE, batch of 16", 16),
    STYLIZE: ("PhotoWCT, K = 4, a scene of 16 together", USUAL_STYLES),
    ASSESS: ("quality metrics, each of 64 results together", 1),
}


def test_every_stage_keeps_its_limits(
    spade_checkpoint: str,
    photowct_checkpoint: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = ["--size=32", "--batches=1,16", "--styles=1,4", "--places=2"]
    flags += [f"--spade-checkpoint={spade_checkpoint}", f"--output={tmp_path / 'counts.json'}"]
    assert run([*flags, f"--photowct-checkpoint={photowct_checkpoint}"]) == 0
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert set(counts) > set(LIMITS)
    for name, (launches, synchronisations) in LIMITS.items():
        assert 0 < counts[name]["launches"] <= launches, name
        assert counts[name]["host synchronisations"] <= synchronisations, name
    assert all(row["wrong device"] == 0 for row in counts.values())
    for stage, (name, items) in PLANNED.items():
        launches = counts[name]["launches"] / items
        assert launches == pytest.approx(WORK[stage].launches, rel=0.2), stage.name
    printed = capsys.readouterr().out
    assert printed.startswith(f"| {' | '.join(HEADER)} |\n")
    assert "photowct/covariance_roots.py:" in printed


def test_bad_settings_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--size=33"]) == 2
    assert capsys.readouterr().err.startswith("error: --size 33: ")
