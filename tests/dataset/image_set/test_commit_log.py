"""The commit log: compaction, and what becomes of it when it is stopped."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from spadepis.dataset.image_set.commit_log import (
    commit_files,
    compact,
    read_commits,
    read_log,
    write_commits,
)
from spadepis.dataset.image_set.commits import (
    SCHEMA,
    Commit,
    done,
    pairs,
    revisions,
    table_to_parquet,
    to_commits,
    to_table,
)
from spadepis.dataset.storage.folder import Folder
from spadepis.report.summary import summarize, summary_text


def commit(mask_id: str, name: str | None = "x") -> Commit:
    return Commit(mask_id, "s", "m.png", "s.jpg", file_name=name, seconds={"read": 0.5})


def test_compaction_leaves_one_file_with_the_same_rows(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    for index in range(40):
        write_commits(folder, [commit(f"m{index:02d}"), commit(f"n{index:02d}", None)])
    before = read_commits(folder)
    assert len(commit_files(folder)) == 40
    assert to_commits(compact(folder)) == before == read_commits(folder)
    assert len(before) == 80
    (name,) = commit_files(folder)
    compact(folder)
    assert commit_files(folder) == [name]
    # More is committed, a failed pair is done after all.
    write_commits(folder, [commit("n00"), commit("z")])
    assert len(done(compact(folder))) == 42
    assert len(commit_files(folder)) == 1


def test_late_commits_do_not_replace_compacted_ones(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    write_commits(folder, [commit("a", "first"), commit("b", None)])
    compact(folder)
    # The names of these files are spread over the alphabet.
    for index in range(20):
        write_commits(folder, [commit("a", "late"), commit(f"c{index}")])
    write_commits(folder, [commit("b")])
    for _ in range(2):
        names = {each.mask_id: each.file_name for each in read_commits(folder)}
        assert len(names) == 22
        assert (names["a"], names["b"]) == ("first", "x")
        compact(folder)


def test_compaction_stopped_before_the_parts_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(str(tmp_path))
    for mask_id in "cab":
        write_commits(folder, [commit(mask_id)])
    before = read_commits(folder)

    def killed(folder: Folder, name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Folder, "remove", killed)
        compact(folder)
    assert len(commit_files(folder)) == 4
    assert read_commits(folder) == before
    compact(folder)
    assert len(commit_files(folder)) == 1
    assert read_commits(folder) == before


def test_files_that_go_while_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(str(tmp_path))
    for mask_id in "ab":
        write_commits(folder, [commit(mask_id)])
    names = commit_files(folder)
    compact(folder)
    listings = iter([names, commit_files(folder)])
    monkeypatch.setattr(
        "spadepis.dataset.image_set.commit_log.commit_files", lambda _: next(listings)
    )
    assert pairs(read_log(folder)) == {("a", "s"), ("b", "s")}


def test_a_log_of_version_0_1(tmp_path: Path) -> None:
    # Its rows have none of the columns that were added later.
    added = {"photo_source", "revision", "image_bytes", "mask_bytes", "content_bytes"}
    added |= {"instance_file_name", "instance_sha256", "instance_bytes"}
    old = pa.schema([field for field in SCHEMA if field.name not in added])
    rows = to_table([commit("a"), commit("b", None)]).select(old.names)
    folder = Folder(str(tmp_path))
    folder.write("_commits/part-0123.parquet", table_to_parquet(rows))
    write_commits(folder, [replace(commit("c"), revision=2), replace(commit("b"), revision=2)])
    for _ in range(2):
        found = read_commits(folder)
        assert [each.mask_id for each in found] == ["a", "b", "c"]
        assert [each.revision for each in found] == [None, 2, 2]
        assert revisions(read_log(folder)) == {1: 1, 2: 2}
        compact(folder)
    summary = summarize(read_log(folder))
    assert "images by pixel revision: 1 of revision 1, 2 of revision 2" in summary_text(
        summary, read_log(folder), folder.uri
    )


def test_an_empty_log(tmp_path: Path) -> None:
    assert len(read_log(Folder(str(tmp_path)))) == 0
    assert read_commits(Folder(str(tmp_path))) == []


SCRIPT = """
import logging, resource, sys, time
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.ray.job import run

logging.basicConfig(level=logging.INFO)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

imported, start = peak(), time.perf_counter()
job = Job.SYNTHESIZE_AND_STYLIZE
assert run(parse_config(job, sys.argv[1:])).status == 0
print(f"{time.perf_counter() - start:.1f} s, {imported} MiB imported, {peak() - imported} MiB more")
"""


@pytest.mark.long
@pytest.mark.parametrize("masks", [10_000, 50_000, 100_000])
def test_planning_and_restarting_a_finished_job(tmp_path: Path, masks: int) -> None:
    """Run by ``make long``; every commit file is of 16 masks with 4 styles."""
    for name, count, suffix in (("masks", masks, "png"), ("styles", 4, "jpg")):
        (tmp_path / name).mkdir()
        for index in range(count):
            (tmp_path / name / f"{index:012d}.{suffix}").touch()
    folder = Folder(str(tmp_path / "out"))
    digest = "0123456789abcdef" * 4
    for first in range(0, masks, 16):
        ids = [f"{index:012d}" for index in range(first, min(first + 16, masks))]
        commits = [
            Commit(
                mask_id,
                f"{style:012d}",
                f"{tmp_path}/masks/{mask_id}.png",
                f"{tmp_path}/styles/{style:012d}.jpg",
                file_name=f"images/ab/{mask_id}/{style:012d}.jpg",
                mask_file_name=f"masks/ab/{mask_id}.png",
                content_file_name=f"contents/ab/{mask_id}.jpg",
                image_sha256=digest,
                mask_sha256=digest,
                content_sha256=digest,
                height=256,
                width=256,
                seconds={"read": 0.1, "synthesize": 0.2, "stylize": 0.3, "smooth": 0.4},
            )
            for mask_id in ids
            for style in range(4)
        ]
        write_commits(folder, commits)
    flags = [f"--{flag}={tmp_path / flag}" for flag in ("masks", "styles")]
    flags += ["--styles-per-mask=4", f"--output={folder.uri}"]
    # Nothing is left to do: Ray is not started. The first run compacts the log, writes the index.
    for state in ("all committed", "finished"):
        result = subprocess.run(
            [sys.executable, "-c", SCRIPT, *flags], check=True, capture_output=True, text=True
        )
        print(f"{4 * masks} pairs, {state}: {result.stdout.strip()}")
        assert f"nothing to do: all {4 * masks} pairs" in result.stderr
        assert len(commit_files(folder)) == 1
        assert float(result.stdout.split()[0]) < 60
