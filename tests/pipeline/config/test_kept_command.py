"""The command that made an image set, and when its runs began."""

from datetime import UTC, datetime
from pathlib import Path

from spadepis.dataset.image_set.layout import COMMAND
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.kept_command import keep_command, read_command, run_starts
from spadepis.pipeline.config.resolution import resolve

RUNS = [datetime(2026, 1, 1, 12, second, tzinfo=UTC) for second in range(3)]


def test_runs_are_kept_with_the_command_of_the_last_one(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "out"))
    assert not run_starts(folder)
    for limit, start in enumerate(RUNS, start=1):
        settings = {"masks": str(tmp_path), "output": folder.uri, "limit": limit}
        keep_command(folder, resolve(Job.SYNTHESIZE, settings), start)
    assert run_starts(folder) == RUNS
    assert read_command(folder).settings["limit"] == 3
    # A set is repaired and reported on without them.
    folder.write(COMMAND, b"{")
    assert not run_starts(folder)
