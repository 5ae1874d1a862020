"""Jobs whose image sets are on Azure Blob and Google Cloud Storage, emulated on loopback."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spadepis import ImageSet
from spadepis.cli.main import inspect_image_set
from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.storage.folder import Folder
from tests.support.object_stores import azure, google
from tests.support.running_job import RunningJob, end

pytestmark = pytest.mark.job

STORES = {"Azure": azure, "Google": google}
MASKS = 6


@pytest.fixture(params=STORES)
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a new container or bucket."""
    with (
        pytest.MonkeyPatch.context() as environment,
        STORES[request.param](tmp_path, environment) as bucket,
    ):
        yield bucket


@pytest.fixture(scope="module")
def flags(
    tmp_path_factory: pytest.TempPathFactory,
    spade_checkpoint: str,
    make_label_maps: Callable[..., str],
) -> list[str]:
    """Of a job that synthesizes photos, but for the inputs and the output."""
    folder = tmp_path_factory.mktemp("inputs")
    masks = make_label_maps(folder / "masks", MASKS)
    return [f"--masks={masks}", "--size=32x32", f"--spade-checkpoint={spade_checkpoint}"]


def upload(folder: str, target: Folder) -> None:
    for path in Path(folder).iterdir():
        target.write(path.name, path.read_bytes())


def test_a_job_that_is_killed_resumes(
    uri: str, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Inputs and output are on the store; the workers of the job reach it like the driver."""
    upload(flags[0].partition("=")[2], Folder(f"{uri}/masks"))
    log = tmp_path / "log"
    output = Folder(f"{uri}/out")
    command = [f"--masks={uri}/masks", *flags[1:], f"--output={output.uri}"]
    with RunningJob(command, log, job="synthesize") as first:
        assert first.wait_for_worker("write") is not None
        left = first.kill()
    end(left)
    for _ in range(2):
        # The second has nothing to do.
        with RunningJob(command, log, job="synthesize") as again:
            again.complete()
    assert len(read_log(output)) == len(ImageSet(output.uri)) == MASKS
    assert inspect_image_set(output.uri, verify=True) == 0
    assert f"{2 * MASKS} objects read back: 0 problems" in capsys.readouterr().out
    image, mask = ImageSet(output.uri)[0]
    assert image.shape == (3, 32, 32) and mask is not None and mask.shape == (32, 32)
    # Libraries do not log their requests.
    assert len(log.read_text().splitlines()) < 60
    assert "HTTP" not in log.read_text()
