"""Jobs that are killed at random moments end with the set of an undisturbed one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.storage.folder import Folder
from tests.support.damage import Damage, find_damage, read_files
from tests.support.object_stores import azure, google
from tests.support.running_job import (
    Kills,
    RunningJob,
    Victim,
    kill_actors,
    kill_drivers,
    kill_everything_once,
)
from tests.support.s3_service import Service, public_bucket

STYLES_PER_MASK = 2
SHORT_MASKS, LONG_MASKS = 48, 160
# The long form, for each victim and storage.
KILLS = 10
MOST_KILLS_IN_JOB = 5
FAILING_PART = 0.05


@dataclass(frozen=True)
class Undisturbed:
    """A job that nobody kills, and what it made.

    Attributes:
        flags: of the job, but for the output.
        files: bytes by name.
        pairs: of a mask and a style.
        seconds: from the first actor on.
    """

    flags: Sequence[str]
    files: Mapping[str, bytes]
    pairs: int
    seconds: float


@dataclass(frozen=True)
class Storage:
    """Where image sets are written.

    Attributes:
        name: for people.
        uri: of a folder.
        flags: by which a job uses it.
    """

    name: str
    uri: str
    flags: Sequence[str] = ()


@dataclass(frozen=True)
class Row:
    """Of the table that the long form ends with."""

    kills: Kills = field(default_factory=Kills)
    damage: Damage = field(default_factory=Damage)

    def __str__(self) -> str:
        return " | ".join(map(str, (*astuple(self.kills), *astuple(self.damage))))


Table = dict[tuple[str, str], Row]


@pytest.fixture(scope="module")
def undisturbed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> Undisturbed:
    masks: int = request.param
    folder = tmp_path_factory.mktemp("undisturbed")
    flags = [
        f"--masks={make_label_maps(folder / 'masks', masks)}",
        f"--instances={make_label_maps(folder / 'instances', masks)}",
        f"--styles={make_photos(folder / 'styles', 3)}",
        f"--styles-per-mask={STYLES_PER_MASK}",
        "--size=64x64",
        "--image-format=png",
        f"--spade-checkpoint={spade_checkpoint}",
        f"--photowct-checkpoint={photowct_checkpoint}",
    ]
    with RunningJob([*flags, f"--output={folder / 'out'}"], folder / "log") as job:
        assert job.wait_for_worker("read") is not None
        start = monotonic()
        job.complete()
        seconds = monotonic() - start
    files = read_files(Folder(str(folder / "out")))
    pairs = masks * STYLES_PER_MASK
    assert sum(name.startswith("images/") for name in files) == pairs
    return Undisturbed(flags, files, pairs, seconds)


@pytest.fixture
def local_disk(tmp_path: Path) -> Storage:
    return Storage("local disk", str(tmp_path))


@pytest.fixture
def s3(service: Service) -> Iterator[Storage]:
    flags = [f"--s3-endpoint={service.endpoint}", "--s3-anonymous"]
    with public_bucket(service) as uri:
        yield Storage("S3", uri, flags)


@pytest.fixture
def failing_s3(s3: Storage, service: Service) -> Iterator[Storage]:
    service.fail_from_now_on(FAILING_PART)
    yield replace(s3, name=f"S3 that fails {FAILING_PART:.0%} of requests")
    assert service.failed > 20


@pytest.fixture
def azure_blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with azure(tmp_path, monkeypatch) as uri:
        yield Storage("Azure Blob", uri)


@pytest.fixture
def google_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with google(tmp_path, monkeypatch) as uri:
        yield Storage("Google Cloud Storage", uri)


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    rows: Table = {}
    yield rows
    print("\n| storage | victim | kills | restarts | missing | duplicates | orphans | truncated |")
    print("|---|---|---|---|---|---|---|---|")
    for (storage, victim), row in rows.items():
        print(f"| {storage} | {victim} | {row} |", flush=True)


def starter(
    undisturbed: Undisturbed, storage: Storage, output: Folder, log: Path
) -> Callable[[], RunningJob]:
    """What starts the job of an undisturbed one with another output."""
    flags = [*undisturbed.flags, *storage.flags, f"--output={output.uri}"]
    # With a number that is asked for, even a short job has workers of each stage to kill.
    flags += ["--smoothing-workers=1"]
    return lambda: RunningJob(flags, log)


def kill_all_of(
    victim: Victim, undisturbed: Undisturbed, storage: Storage, log: Path
) -> Iterator[Row]:
    """Kill one kind of process ``KILLS`` times, in as many jobs as that takes."""
    random = Random(f"{storage.name} {victim}")
    kills = 0
    for number in count():
        output = Folder(f"{storage.uri}/{number}")
        start = starter(undisturbed, storage, output, log)
        most = min(MOST_KILLS_IN_JOB, KILLS - kills)
        if victim is Victim.DRIVER:
            killed = kill_drivers(start, most, random, partial(seconds_left, output, undisturbed))
        else:
            killed = kill_actors(start, victim, most, random)
        yield Row(killed, find_damage(output, undisturbed.files))
        kills += killed.kills
        if kills == KILLS:
            return


def seconds_left(output: Folder, undisturbed: Undisturbed) -> float:
    """What an undisturbed job would take for the pairs that are not done."""
    return undisturbed.seconds * (1 - len(read_log(output)) / undisturbed.pairs)


@pytest.mark.parametrize("undisturbed", [SHORT_MASKS], indirect=True)
def test_a_kill_of_every_kind_leaves_no_trace(
    undisturbed: Undisturbed, local_disk: Storage, tmp_path: Path
) -> None:
    output = Folder(f"{local_disk.uri}/out")
    start = starter(undisturbed, local_disk, output, tmp_path / "log")
    assert kill_everything_once(start, Random(1)) == Kills(kills=4, restarts=4)
    assert find_damage(output, undisturbed.files) == Damage()


@pytest.mark.faults
@pytest.mark.parametrize("victim", Victim)
@pytest.mark.parametrize("name", ["local_disk", "s3", "failing_s3", "azure_blob", "google_cloud"])
@pytest.mark.parametrize("undisturbed", [LONG_MASKS], indirect=True)
def test_ten_kills_of_a_kind_leave_no_trace(
    name: str,
    victim: Victim,
    undisturbed: Undisturbed,
    table: Table,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    storage: Storage = request.getfixturevalue(name)
    rows = list(kill_all_of(victim, undisturbed, storage, tmp_path / "log"))
    total = Row(
        sum((row.kills for row in rows), Kills()), sum((row.damage for row in rows), Damage())
    )
    table[storage.name, victim] = total
    assert total.kills.kills == KILLS
    assert total.damage == Damage()
