"""Whatever a scene or a style does to its worker costs its own pairs, and nothing else."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from spadepis.dataset.image_set.commit_log import read_commits
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.storage.folder import Folder
from tests.support.running_job import RunningJob

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
STALL_MINUTES = 0.2


@pytest.fixture
def run(
    tmp_path: Path,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> Callable[..., list[Commit]]:
    """Run a job with scenes and a style of given ids among good ones; returns its commits."""

    def run(scenes: Sequence[str], style: str | None = None) -> list[Commit]:
        masks = Path(make_label_maps(tmp_path / "masks", GOOD + len(scenes)))
        for i, id in enumerate(scenes, GOOD):
            (masks / f"mask{i:03}.png").rename(masks / f"{id}.png")
        styles = Path(make_photos(tmp_path / "styles", STYLES + (style is not None)))
        if style is not None:
            (styles / f"style{STYLES}.jpg").rename(styles / f"{style}.jpg")
        flags = [f"--masks={masks}", f"--styles={styles}", "--pairing=all", "--size=64x64"]
        flags += [f"--spade-checkpoint={spade_checkpoint}", f"--stall-minutes={STALL_MINUTES}"]
        flags += [f"--photowct-checkpoint={photowct_checkpoint}", f"--output={tmp_path / 'out'}"]
        log = tmp_path / "log"
        with RunningJob(flags, log, {"PYTHONPATH": str(POISON)}) as job:
            job.wait(3000)
            assert job.status == 3, log.read_text()
        print(log.read_text())
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
        poison = {id.partition("-")[0]: id.partition("-")[2] for id in ids}
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
@pytest.mark.parametrize("effect", MESSAGES)
def test_poison_in_each_stage(effect: str, run: Callable[..., list[Commit]]) -> None:
    scenes = [f"{stage}-{effect}" for stage in STAGES]
    check(run(scenes), scenes)


@pytest.mark.faults
@pytest.mark.parametrize("effect", MESSAGES)
def test_a_bad_style(effect: str, run: Callable[..., list[Commit]]) -> None:
    check(run([], f"stylize-{effect}"), [], f"stylize-{effect}")
