"""What is to be done, and with which workers."""

import io
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import read_commits
from spadepis.dataset.image_set.commits import Commit, to_table
from spadepis.dataset.image_set.writer import ImageSetWriter
from spadepis.dataset.storage.folder import Folder
from spadepis.labels import COCO_STUFF
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig, resolve
from spadepis.pipeline.planning.inputs import list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan
from spadepis.pipeline.planning.preparation import plan_pairs, prepare
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.read import ReadScenes
from spadepis.pipeline.stages.write import Write

BOTH = Job.SYNTHESIZE_AND_STYLIZE


def planned(config: JobConfig) -> Plan:
    return make_plan(config, list_inputs(config))


def test_every_mask_gets_its_styles(
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    masks, styles = make_label_maps(tmp_path / "m", 5), make_photos(tmp_path / "s", 4)
    (tmp_path / "s/SOURCES.txt").write_text("")
    settings = {"masks": masks, "instances": masks, "styles": styles, "styles_per_mask": 2}
    config = resolve(BOTH, settings | {"output": "o", "limit": 4})
    with caplog.at_level(logging.WARNING):
        plan = planned(config)
    assert "left out, not named like an image: 1 of the files" in caplog.text
    assert [scene.id for scene in plan.scenes] == [f"mask{i:03d}" for i in range(4)]
    assert plan.pairs == 8
    for scene in plan.scenes:
        assert scene.mask_source == scene.instance_source == f"{masks}/{scene.id}.png"
        for style in scene.styles:
            assert style.source == f"{styles}/{style.id}.jpg"

    first = plan.scenes[0]
    settled = {(first.id, style.id) for style in first.styles}
    settled.add((plan.scenes[1].id, plan.scenes[1].styles[0].id))
    rest = plan.without(settled)
    assert rest.pairs == 5
    assert [scene.id for scene in rest.scenes] == ["mask001", "mask002", "mask003"]


def test_pairs_come_from_a_table_or_are_all(
    make_label_maps: Callable[..., str], make_photos: Callable[..., str], tmp_path: Path
) -> None:
    masks, styles = make_label_maps(tmp_path / "m", 3), make_photos(tmp_path / "s", 4)
    table = tmp_path / "pairs.csv"
    table.write_text("mask_id,style_id\nmask002,style3\nmask001,style0\nmask002,style1\n")

    def plan(**settings: object) -> dict[str, list[str | None]]:
        values = {"masks": masks, "styles": styles, "output": "o"} | settings
        scenes = planned(resolve(BOTH, values)).scenes
        return {scene.id: [style.id for style in scene.styles] for scene in scenes}

    pairs = plan(pairing="table", pairing_table=str(table))
    assert pairs == {"mask001": ["style0"], "mask002": ["style3", "style1"]}
    assert list(plan(pairing="table", pairing_table=str(table), limit=1)) == ["mask001"]
    # Unpacked on macOS, the letters of a name are decomposed.
    Path(masks, "mask000.png").rename(Path(masks, "cafe\u0301.png"))
    table.write_text("mask_id,style_id\ncaf\u00e9,style2\n")
    assert plan(pairing="table", pairing_table=str(table)) == {"cafe\u0301": ["style2"]}
    assert list(plan(pairing="all", where="caf\u00e9*")) == ["cafe\u0301"]
    table.write_text("mask_id,style_id\ncaf\u00e9,style2\ncafe\u0301,style1\ncafe\u0301,style2\n")
    assert plan(pairing="table", pairing_table=str(table)) == {"cafe\u0301": ["style2", "style1"]}
    Path(masks, "cafe\u0301.png").rename(Path(masks, "mask000.png"))
    everything = [f"style{i}" for i in range(4)]
    assert plan(pairing="all") == {f"mask{i:03d}": everything for i in range(3)}
    table.write_text("mask_id,style_id\nmask009,style3\nmask001,style8\n")
    with pytest.raises(ConfigurationError, match=r"1 mask ids do not exist, e\.g\. 'mask009'"):
        plan(pairing="table", pairing_table=str(table))
    with pytest.raises(ConfigurationError, match="--pairing-table go together"):
        plan(pairing="table")
    with pytest.raises(ConfigurationError, match="all takes no --styles-per-mask"):
        plan(pairing="all", styles_per_mask=2)


def test_a_missing_instance_map_keeps_its_name(
    make_label_maps: Callable[..., str], tmp_path: Path
) -> None:
    masks = make_label_maps(tmp_path / "m", 2)
    instances = make_label_maps(tmp_path / "i", 1)
    plan = planned(resolve(Job.SYNTHESIZE, {"masks": masks, "instances": instances, "output": "o"}))
    assert plan.scenes[1].instance_source == f"{instances}/mask001.png"


def test_too_few_styles(
    make_label_maps: Callable[..., str], make_photos: Callable[..., str], tmp_path: Path
) -> None:
    masks, styles = make_label_maps(tmp_path / "m"), make_photos(tmp_path / "s", 2)
    settings = {"masks": masks, "styles": styles, "styles_per_mask": 3, "output": "o"}
    config = resolve(BOTH, settings)
    with pytest.raises(ConfigurationError, match=r"--styles-per-mask 3: .*/s holds 2"):
        planned(config)


def test_scenes_that_have_results_are_marked(
    make_label_maps: Callable[..., str], make_photos: Callable[..., str], tmp_path: Path
) -> None:
    settings = {"masks": make_label_maps(tmp_path / "m", 3), "accept_implausible": True}
    settings |= {"styles": make_photos(tmp_path / "s", 2), "pairing": "all", "instances": None}
    config = resolve(BOTH, settings | {"output": str(tmp_path / "out")})
    commits = [
        Commit("mask000", "style0", None, None, file_name="images/a"),
        Commit("mask001", "style0", None, None, error="ValueError"),
    ]
    job = prepare(config)
    _, missing = plan_pairs(job, to_table(commits), retry_failed=False)
    assert [(scene.id, scene.has_results, len(scene.styles)) for scene in missing.scenes] == [
        ("mask000", True, 1),
        ("mask001", False, 1),
        ("mask002", False, 2),
    ]


def test_hostile_ids_reach_the_commit_log_and_no_other_folder(tmp_path: Path) -> None:
    ids = ["../../a", "/abs", "a\nb\r", "ä漢字😀", "x" * 300, "\0", "a", "A", ".a", "%", "a.jpg"]
    buffer = io.BytesIO()
    Image.new("L", (32, 32), 3).save(buffer, "PNG")
    table = pa.table({"id": ids, "mask": [buffer.getvalue()] * len(ids)})
    pq.write_table(table, tmp_path / "masks.parquet")
    output = tmp_path / "deep/out"
    masks = str(tmp_path / "masks.parquet")
    settings = {"masks": masks, "instances": f"{masks}#mask", "output": str(tmp_path / "unused")}
    config = resolve(Job.SYNTHESIZE, settings)
    scenes = ReadScenes(COCO_STUFF, (32, 32), 64, 10**6)(list(planned(config).scenes))
    assert [scene.id for scene in scenes] == ids
    for scene in scenes:
        assert scene.label_map is not None and scene.edges is not None
        scene.content = np.zeros((32, 32, 3), np.uint8)
    scenes.append(Scene("../none", [Style("../style\n", None)], mask_source="m"))
    scenes[-1].fail("read", "../none\n", ValueError("bad\n\0"))
    write = Write(ImageSetWriter(Folder(str(output)), "jpg", 95), COCO_STUFF, keep_contents=True)
    write(scenes)

    commits = {commit.mask_id: commit for commit in read_commits(Folder(str(output)))}
    assert set(commits) == {*ids, "../none"}
    failed = commits.pop("../none")
    assert (failed.style_id, failed.source, failed.message) == (
        "../style\n",
        "../none\n",
        "bad\n\0",
    )
    named = {
        output / name
        for commit in commits.values()
        for name in (commit.file_name, commit.mask_file_name, commit.content_file_name)
        if name is not None
    }
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    written = {path for path in written if path.suffix in (".jpg", ".png")}
    assert named == written
    assert len(named) == 3 * len(ids)
