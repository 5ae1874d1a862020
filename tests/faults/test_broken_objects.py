"""Whatever object of an image set is removed, cut or flipped: verify finds it, a run mends it."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from spadepis.cli import repair
from spadepis.cli.exit_status import exit_status
from spadepis.cli.main import inspect_image_set, parser_of, run_job
from spadepis.dataset.image_set.commit_log import compact, read_log
from spadepis.dataset.image_set.index import write_index
from spadepis.dataset.image_set.layout import (
    CARD,
    COMMAND,
    CONFIGURATION,
    PLAN,
    REPORT,
    commit_file_name,
)
from spadepis.dataset.image_set.records import write_record
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.write import Write
from tests.support.bad_inputs import PHOTO
from tests.support.broken_objects import FORMS, KINDS, WAYS, an_object
from tests.support.damage import Damage, find_damage, read_files

# A finished set can do without them: their absence is no claim.
DISPENSABLE = {("plan", "removed"), ("command", "removed")}
CASES = [(kind, way) for kind in KINDS for way in WAYS if (kind, way) not in DISPENSABLE]
# A run compares the sizes of these with the log, and repair their content.
OBJECTS = ("image", "label map", "content", "shard")
SETTINGS = {"masks": "masks", "styles": "styles", "output": "out", "styles_per_mask": 2}
# Somebody may have edited them, so that a run leaves them alone unless they are gone.
PAGES = ("card", "report")


def write_set(folder: Folder, in_shards: bool, compacted: bool) -> None:
    """A finished image set of two label maps in two styles, without a job."""
    labels = np.zeros(PHOTO.shape[:2], np.uint8)
    stage = Write(ImageSetWriter(folder, "png", 95, in_shards), COCO_STUFF, keep_contents=True)
    for id in "ab":
        styles = [Style(style, f"{style}.png") for style in "st"]
        scene = Scene(id, styles, f"{id}.png", label_map=labels, content=PHOTO, results=[PHOTO])
        scene.fail_style(styles[1], "smooth", None, ValueError("why"))
        stage([scene])
    log = compact(folder) if compacted else read_log(folder)
    write_record(folder, CONFIGURATION, {"seed": 0})
    write_record(folder, PLAN, {"pairs": 4})
    write_record(folder, COMMAND, {"job": "synthesize", "directory": "/", "settings": SETTINGS})
    write_index(folder, log, {CARD: "# Card", REPORT: "<html></html>"}, {"status": "complete"})


@pytest.mark.parametrize(("kind", "way"), CASES)
def test_verify_finds_it(
    kind: str, way: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Folder(str(tmp_path / "out"))
    write_set(folder, in_shards=kind == "shard", compacted=kind != "commit file")
    assert inspect_image_set(folder.uri, verify=True) == 0
    name = an_object(folder, kind)
    WAYS[way](folder, name)
    capsys.readouterr()
    assert inspect_image_set(folder.uri, verify=True) == 1
    shown = capsys.readouterr()
    # A file of the log that is gone shows in what it named.
    assert name in shown.out + shown.err or "is not named in the commit log" in shown.out
    assert shown.err == "" or (shown.err.startswith("error: ") and shown.err.count("\n") == 1)


@dataclass(frozen=True)
class Finished:
    """An image set of a job, and the flags that made it.

    Attributes:
        folder: of the set.
        flags: of the job, but for the output.
        files: of the set by name, as ``read_files`` returns them.
    """

    folder: Path
    flags: list[str]
    files: Mapping[str, bytes]

    def copy(self, target: Path) -> Folder:
        shutil.copytree(self.folder, target)
        return Folder(str(target))

    def run_again(self, folder: Folder) -> int:
        return run_job(Job.SYNTHESIZE_AND_STYLIZE, [*self.flags, f"--output={folder.uri}"])


@pytest.fixture(scope="module")
def finished(
    cluster: None,
    tmp_path_factory: pytest.TempPathFactory,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> Callable[[str], Finished]:
    """What makes an image set of files or of Parquet shards, or gives the one it made."""
    folder = tmp_path_factory.mktemp("finished")
    made: dict[str, Finished] = {}
    flags = [
        f"--masks={make_label_maps(folder / 'masks', 3)}",
        f"--styles={make_photos(folder / 'styles', 2)}",
        "--styles-per-mask=2",
        "--size=32x32",
        "--image-format=png",
        f"--spade-checkpoint={spade_checkpoint}",
        f"--photowct-checkpoint={photowct_checkpoint}",
    ]

    def make(form: str) -> Finished:
        if form not in made:
            output = folder / form
            own = [*flags, f"--output-format={form}"]
            assert run_job(Job.SYNTHESIZE_AND_STYLIZE, [*own, f"--output={output}"]) == 0
            made[form] = Finished(output, own, read_files(Folder(str(output))))
        return made[form]

    return make


@pytest.fixture
def back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the test this process is where it was; repair goes to where the job ran."""
    monkeypatch.chdir(tmp_path)


def run_repair(folder: Folder) -> int:
    arguments = parser_of("repair").parse_args([folder.uri])
    return exit_status(lambda: repair.run(arguments))


def test_a_run_does_again_what_is_missing_or_cut(
    finished: Callable[[str], Finished],
    tmp_path: Path,
    back: None,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The short form: several objects at once, of which one needs repair."""
    done = finished("files")
    folder = done.copy(tmp_path / "out")
    images = [name for name in folder.names() if name.startswith("images/")]
    WAYS["removed"](folder, images[0])
    WAYS["cut"](folder, an_object(folder, "label map"))
    WAYS["flipped"](folder, images[-1])
    WAYS["cut"](folder, an_object(folder, "metadata"))
    WAYS["removed"](folder, REPORT)
    folder.write(CARD, b"edited by somebody")
    assert done.run_again(folder) == 0
    assert "2 objects are missing or damaged" in caplog.text
    # The flipped one has its size, and is one of the files of which a run knows no more.
    assert find_damage(folder, done.files) == Damage(truncated=1)
    assert run_repair(folder) == 0
    assert f"{images[-1]} (is not what was written (another SHA-256))" in caplog.text
    assert find_damage(folder, done.files) == Damage()
    assert inspect_image_set(folder.uri, verify=True) == 0


@pytest.fixture(scope="module")
def table() -> Iterator[dict[tuple[str, str], str]]:
    rows: dict[tuple[str, str], str] = {}
    yield rows
    print("\n| object | removed | cut | flipped |\n|---|---|---|---|")
    for kind in KINDS:
        cells = (rows.get((kind, way), "no claim") for way in WAYS)
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


@pytest.mark.faults
@pytest.mark.parametrize(("kind", "way"), CASES)
def test_a_run_or_repair_mends_it(
    kind: str,
    way: str,
    finished: Callable[[str], Finished],
    table: dict[tuple[str, str], str],
    tmp_path: Path,
    back: None,
) -> None:
    done = finished(FORMS.get(kind, "files"))
    folder = done.copy(tmp_path / "out")
    if kind == "commit file":
        # The log of a job that was stopped before it was compacted.
        compacted = an_object(folder, "compacted commit file")
        content = folder.read(compacted)
        folder.write(commit_file_name(content), content)
        folder.remove(compacted)
    WAYS[way](folder, an_object(folder, kind))
    assert inspect_image_set(folder.uri, verify=True) == 1
    assert done.run_again(folder) == 0
    by = "next run"
    left = inspect_image_set(folder.uri, verify=True)
    needs_repair = (kind in OBJECTS and way == "flipped") or (kind in PAGES and way != "removed")
    assert left == needs_repair
    if needs_repair:
        by = "repair"
        assert run_repair(folder) == 0
    assert inspect_image_set(folder.uri, verify=True) == 0
    assert find_damage(folder, done.files) == Damage()
    table[kind, way] = by
