"""Whatever a scene or a style does to its worker costs its own pairs, and nothing else."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from spadepis.dataset.image_set.commit_log import read_commits
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.repeated_errors import MOST_EQUAL_ERRORS
from tests.support.running_job import RunningJob

pytestmark = pytest.mark.job

POISON = Path(__file__).parents[1] / "support" / "poison"
STAGES = ("read", "synthesize", "stylize", "smooth", "assess", "write")
# Effects, and the messages of the failures.
DEATHS = {
    "segfault": r"its worker died (3 times|once) \(signal 11\)",
    "oom": r"its worker died (3 times|once) \(signal 9\)",
    "device": r"its worker died (3 times|once) \(exit status 134\)",
    "hang": r"its worker made no progress for [0-9.]+ minutes, (3 times|once)",
    "watcher": r"its worker died (3 times|once)",
}
MESSAGES = {"raise": "poisoned scene", **DEATHS}
GOOD, STYLES = 6, 2
# Long enough for a first scene on a busy machine.
STALL_MINUTES = 1.0


@pytest.fixture
def run(
    tmp_path: Path,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> Callable[..., list[Commit]]:
    """Run a job with scenes and a style of given ids among good ones; returns its commits."""

    def run(scenes: Sequence[str], style: str | None = None, status: int = 3) -> list[Commit]:
        masks = Path(make_label_maps(tmp_path / "masks", GOOD + len(scenes)))
        for i, id in enumerate(scenes, GOOD):
            (masks / f"mask{i:03}.png").rename(masks / f"{id}.png")
        styles = Path(make_photos(tmp_path / "styles", STYLES + (style is not None)))
        if style is not None:
            (styles / f"style{STYLES}.jpg").rename(styles / f"{style}.jpg")
        flags = [f"--masks={masks}", f"--styles={styles}", "--pairing=all", "--size=64x64"]
        flags += [f"--spade-checkpoint={spade_checkpoint}", f"--output={tmp_path / 'out'}"]
        flags += [f"--photowct-checkpoint={photowct_checkpoint}", "--accept-implausible"]
        # A number that is asked for gives each stage workers of its own, even in so short a job.
        flags += ["--smoothing-workers=1"]
        if "hang" in str([*scenes, style]):
            flags += [f"--stall-minutes={STALL_MINUTES}"]
        log = tmp_path / "log"
        with RunningJob(flags, log, {"PYTHONPATH": str(POISON)}) as job:
            job.wait(3000)
            assert job.status == status, log.read_text()
        return read_commits(Folder(str(tmp_path / "out")))

    return run


def check(commits: Sequence[Commit], scenes: Sequence[str], style: str | None = None) -> None:
    """Check that each poisoned pair has a row that says why it failed, and all others are done."""
    styles = [f"style{i}" for i in range(STYLES)] + ([style] if style else [])
    good = [f"mask{i:03}" for i in range(GOOD)]
    pairs = {(scene, style) for scene in [*good, *scenes] for style in styles}
    assert Counter(commit.pair for commit in commits) == dict.fromkeys(pairs, 1)
    for commit in commits:
        # Effects by stage.
        ids = [id for id in commit.pair if id is not None and id in {*scenes, style}]
        poison = {id.split("-")[0]: id.split("-")[1] for id in ids}
        if not poison:
            assert not commit.failed and not commit.rejected, commit
            continue
        effect = poison[commit.stage or ""]
        assert re.fullmatch(MESSAGES[effect], commit.message or ""), commit
        assert commit.error == ("LookupError" if effect == "raise" else "WorkerDied")


def test_an_error_a_crash_and_a_bad_style(run: Callable[..., list[Commit]]) -> None:
    scenes = ["read-raise", "synthesize-segfault", "write-raise"]
    check(run(scenes, "assess-raise"), scenes, "assess-raise")


@pytest.mark.faults
def test_another_effect_in_each_stage(run: Callable[..., list[Commit]]) -> None:
    scenes = [f"{stage}-{effect}" for stage, effect in zip(STAGES, MESSAGES, strict=True)]
    check(run(scenes), scenes)


@pytest.mark.faults
@pytest.mark.parametrize("effect", MESSAGES)
def test_poison_in_each_stage(effect: str, run: Callable[..., list[Commit]]) -> None:
    scenes = [f"{stage}-{effect}" for stage in STAGES]
    check(run(scenes), scenes)


@pytest.mark.faults
@pytest.mark.parametrize("effect", MESSAGES)
def test_a_bad_style(effect: str, run: Callable[..., list[Commit]]) -> None:
    check(run([], f"stylize-{effect}"), [], f"stylize-{effect}")


@pytest.mark.faults
def test_a_bug_is_no_bad_input(run: Callable[..., list[Commit]], tmp_path: Path) -> None:
    """All scenes fail alike, and the good ones are too few to come in between."""
    run([f"smooth-raise-{i}" for i in range(8 * MOST_EQUAL_ERRORS)], status=1)
    last = (tmp_path / "log").read_text().splitlines()[-1]
    assert re.match(r"error: \d+ scenes have failed with the same error, .* poisoned scene", last)
