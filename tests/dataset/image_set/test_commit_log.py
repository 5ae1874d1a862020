"""The commit log: compaction, and what becomes of it when it is stopped."""

from dataclasses import replace
from datetime import UTC, datetime
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


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_failures_of_a_pair_the_latest_counts(order: int, tmp_path: Path) -> None:
    """A pair that is tried again may fail for another reason."""
    folder = Folder(str(tmp_path))
    failures = [
        replace(commit("a", None), message=str(day), committed=datetime(2026, 1, day, tzinfo=UTC))
        for day in (1, 2, 3)
    ]
    for each in failures[::order]:
        write_commits(folder, [each])
        compact(folder)
    # A row of version 0.1 may not say when it was written.
    write_commits(folder, [commit("a", None), commit("b")])
    assert [each.message for each in read_commits(folder)] == ["3", None]


def test_failures_before_styles_were_chosen_do_not_count_after_a_success(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    failure = Commit("m", None, "m.png", None, stage="read", error="OSError", message="why")
    for _ in range(3):
        write_commits(folder, [failure])
    write_commits(folder, [commit("m"), commit("n", None)])
    for _ in range(2):
        assert [each.pair for each in read_commits(folder)] == [("m", "s"), ("n", "s")]
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
