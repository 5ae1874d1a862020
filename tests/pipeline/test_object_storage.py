"""Inputs and image sets on S3, a moto server on loopback, also when it fails at random."""

import io
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spadepis import ImageSet
from spadepis.cli.main import run_job
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.inputs.label_maps import read_label_map
from spadepis.dataset.inputs.listing import SourceError, list_images
from spadepis.dataset.storage.filesystems import filesystem
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig, resolve
from spadepis.pipeline.planning.inputs import list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.pipeline.stages.smooth import Smooth
from spadepis.pipeline.stages.stage import Stage
from spadepis.pipeline.stages.stylize import Stylize
from spadepis.pipeline.stages.write import Write
from tests.support.s3_service import Service


def planned(config: JobConfig) -> Plan:
    return make_plan(config, list_inputs(config))


def upload(folder: str, target: str) -> None:
    for path in sorted(Path(folder).rglob("*.*")):
        Folder(target).write(str(path.relative_to(folder)), path.read_bytes())


def parquet_of(folder: str) -> bytes:
    cells = [
        {"bytes": path.read_bytes(), "path": path.name} for path in sorted(Path(folder).iterdir())
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.table({"image": cells}), buffer, row_group_size=2)
    return buffer.getvalue()


def tar_of(folder: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(Path(folder).iterdir()):
            tar.add(path, path.name)
    return buffer.getvalue()


def test_reads_and_writes_survive_a_failing_service(
    service: Service, bucket: str, make_label_maps: Callable[..., str], tmp_path: Path
) -> None:
    masks = make_label_maps(tmp_path / "masks", 12)
    expected = {
        id: read_label_map(source, 10**6).tolist()
        for id, source in list_images(masks).images.items()
    }
    service.fail_from_now_on(rate=0.05)
    upload(masks, f"{bucket}/files")
    Folder(f"{bucket}/parquet").write("a.parquet", parquet_of(masks))
    Folder(f"{bucket}/tar").write("a.tar", tar_of(masks))
    for uri in ("files", "files/*.png", "parquet", "parquet/*.parquet#image", "tar", "tar#png"):
        found = list_images(f"{bucket}/{uri}").images
        assert {id: read_label_map(uri, 10**6).tolist() for id, uri in found.items()} == expected
    folder = Folder(f"{bucket}/files")
    assert folder.names() == [f"{id}.png" for id in expected]
    assert folder.exists("mask000.png") and not folder.exists("none.png")
    assert not Folder(f"{bucket}/none").exists()
    folder.remove("mask000.png")
    assert not folder.exists("mask000.png")
    assert service.failed > 5


def test_what_is_not_there_or_forbidden_is_told_at_once(service: Service, bucket: str) -> None:
    closed = f"{bucket}-closed"
    fs, path = filesystem(closed)
    fs.mkdir(path)
    Folder(closed).write("a.png", b"")
    before = service.requests
    stage = ReadScenes(COCO_STUFF, (32, 32), 64, 10**6)
    sources = {f"{bucket}/none.png": "No such file", f"{closed}/a.png": "Forbidden|Access Denied"}
    scenes = [Scene("a", [Style("s", "s")], mask_source=source) for source in sources]
    for scene in stage(scenes):
        (failure,) = scene.failures
        assert failure.source is not None
        assert re.search(rf"cannot be read \(.*({sources[failure.source]})", failure.message)
    with pytest.raises(SourceError, match="does not exist"):
        list_images(f"{bucket}/none")
    with pytest.raises(SourceError, match="does not exist"):
        list_images("s3://no-such-bucket/none")
    assert service.requests - before < 12


@pytest.mark.parametrize(
    "flags",
    [
        ["--masks=s3://KEY:secret@bucket/masks", "--output=out"],
        ["--masks", "s3://KEY:secret@bucket/masks", "--output=out"],
        ["--masks=masks", "--output=https://secret@host/out"],
        ["--masks=masks", "--output=out", "--s3-endpoint=http://KEY:secret@host"],
        ["--config=s3://KEY:secret@bucket/job.yaml"],
        ["--maskz=s3://KEY:secret@bucket/masks"],
        ["--config={yaml}"],
    ],
)
def test_credentials_in_settings_are_refused_and_not_repeated(
    flags: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    yaml = tmp_path / "job.yaml"
    yaml.write_text("masks: s3://KEY:secret@bucket/masks\noutput: out\n")
    assert run_job(Job.SYNTHESIZE, [flag.format(yaml=yaml) for flag in flags]) == 2
    shown = capsys.readouterr()
    assert "credentials" in shown.err
    for text in (shown.out, shown.err, caplog.text):
        assert "secret" not in text and "KEY" not in text


def test_a_job_from_s3_to_s3_gives_what_its_stages_give_here(
    cluster: None,
    service: Service,
    bucket: str,
    tmp_path: Path,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    photos, styles = (make_photos(tmp_path / name, 3, 48, 48) for name in ("photos", "styles"))
    masks = make_label_maps(tmp_path / "masks", 3)
    for i in range(3):
        Path(f"{masks}/mask{i:03d}.png").rename(f"{masks}/style{i}.png")
    Folder(f"{bucket}/in").write("photos/a.parquet", parquet_of(photos))
    Folder(f"{bucket}/in").write("masks/a.tar", tar_of(masks))
    upload(styles, f"{bucket}/in/styles")
    inputs = {name: f"{bucket}/in/{name}" for name in ("photos", "masks", "styles")}
    remote = f"{bucket}/in/out"
    flags = [f"--{name}={uri}" for name, uri in inputs.items()]
    flags += [f"--photowct-checkpoint={photowct_checkpoint}", "--styles-per-mask=2"]
    flags += ["--image-format=png", f"--output={remote}"]
    flags += [f"--s3-endpoint={service.endpoint}", "--s3-anonymous"]
    service.fail_from_now_on(rate=0.05)
    assert run_job(Job.STYLIZE, flags) == 0
    assert service.failed > 3
    service.rate = 0.0
    # Started again it reads its log alone; what it wrote inside of an input is no input.
    assert run_job(Job.STYLIZE, flags) == 0
    assert "6 images of 3 scenes" in capsys.readouterr().out

    output = str(tmp_path / "out")
    settings = {"photos": photos, "masks": masks, "styles": styles, "styles_per_mask": 2}
    config = resolve(Job.STYLIZE, settings | {"output": output})
    scenes: list[Any] = list(planned(config).scenes)
    stages: Sequence[Stage] = (
        ReadScenes(COCO_STUFF, None, config.longest_side, config.inputs.max_pixels),
        Stylize(
            photowct_checkpoint,
            device="cpu",
            half=False,
            longest_side=config.styles.longest_style_side,
            max_pixels=config.inputs.max_pixels,
        ),
        Smooth(),
        Write(ImageSetWriter(Folder(output), "png", 95), COCO_STUFF, True),
    )
    for stage in stages:
        scenes = stage(scenes)
    here, there = Folder(output), Folder(remote)
    images = [name for name in here.names() if name.endswith(".png")]
    assert len(images) == 3 * 2 + 3 + 3
    assert [name for name in there.names() if name.endswith(".png")] == images
    assert [there.read(name) for name in images] == [here.read(name) for name in images]
    table = ImageSet(remote).table
    assert table["photo_source"][0].as_py() == f"{inputs['photos']}/a.parquet#column=image&row=0"
    assert table["mask_source"][0].as_py().startswith(f"{inputs['masks']}/a.tar#offset=")
