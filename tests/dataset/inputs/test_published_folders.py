"""Published datasets by their folders: filled in, checked, and cut to subsets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadepis.configuration import ConfigurationError
from spadepis.dataset.inputs.published_folders import LAYOUTS
from spadepis.labels import LABEL_SPACES
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.identity import identify
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig, resolve
from spadepis.pipeline.planning.inputs import list_inputs
from spadepis.pipeline.planning.plan import Plan, make_plan
from spadepis.pipeline.stages.read import ReadScenes

CITYSCAPES_FILES = [
    f"{folder}/val/{city}/{city}_{number:06d}_000019_{ending}.png"
    for city in ("bonn", "ulm")
    for number in (0, 1)
    for folder, ending in (
        ("gtFine", "gtFine_labelIds"),
        ("gtFine", "gtFine_instanceIds"),
        ("gtFine", "gtFine_color"),
        ("leftImg8bit", "leftImg8bit"),
    )
]
ADE20K_FILES = [
    f"{folder}/validation/ADE_val_{number:08d}.{suffix}"
    for number in (1, 2)
    for folder, suffix in (("annotations", "png"), ("images", "jpg"))
]
COCO_FILES = [
    f"{folder}/val2017/{number:012d}.{suffix}"
    for number in (139, 785)
    for folder, suffix in (("stuffthingmaps", "png"), ("instances", "png"), ("images", "jpg"))
]
DATASETS = pytest.mark.parametrize(
    ("dataset", "split", "files", "ids"),
    [
        ("coco-stuff", "val2017", COCO_FILES, ["000000000139", "000000000785"]),
        ("ade20k", "validation", ADE20K_FILES, ["ADE_val_00000001", "ADE_val_00000002"]),
        (
            "cityscapes",
            "val",
            CITYSCAPES_FILES,
            [f"{city}/{city}_00000{n}_000019" for city in ("bonn", "ulm") for n in (0, 1)],
        ),
    ],
)


def planned(config: JobConfig) -> Plan:
    return make_plan(config, list_inputs(config))


def unpack(root: Path, files: list[str]) -> str:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    return str(root)


def plan(job: Job, **settings: object) -> Plan:
    return planned(resolve(job, {"output": "o", "spade_checkpoint": "c"} | settings))


def test_every_published_dataset_has_a_layout() -> None:
    own = [space.name for space in LABEL_SPACES.values() if space.numbering_of is None]
    assert list(LAYOUTS) == own
    for name, layout in LAYOUTS.items():
        assert layout.label_space is LABEL_SPACES[name]
        assert ("instances" in layout.paths) == layout.label_space.has_instance_edges


@DATASETS
def test_a_dataset_fills_in_what_the_job_needs(
    dataset: str,
    split: str,
    files: list[str],
    ids: list[str],
    make_photos: Callable[..., str],
    tmp_path: Path,
) -> None:
    root = unpack(tmp_path / "data", files)
    of_dataset = {"dataset": dataset, "root": root, "split": split}
    scenes = plan(Job.SYNTHESIZE, **of_dataset).scenes
    assert [scene.id for scene in scenes] == ids
    has_instances = LABEL_SPACES[dataset].has_instance_edges
    for scene in scenes:
        assert scene.mask_source is not None and Path(scene.mask_source).exists()
        assert (scene.instance_source is not None) == has_instances
        assert scene.instance_source is None or Path(scene.instance_source).exists()
        assert scene.photo_source is None

    styles = make_photos(tmp_path / "styles", 1)
    config = resolve(Job.STYLIZE, {"styles": styles, "output": "o", **of_dataset})
    assert config.label_space is LABEL_SPACES[dataset]
    scenes = planned(config).scenes
    assert [scene.id for scene in scenes] == ids
    for scene in scenes:
        assert scene.mask_source is not None and Path(scene.mask_source).exists()
        assert scene.photo_source is not None and Path(scene.photo_source).exists()
        assert scene.instance_source is None


def test_a_dataset_is_the_same_as_its_folders(tmp_path: Path) -> None:
    root = unpack(tmp_path, CITYSCAPES_FILES)
    (tmp_path / "weights.pth").touch()
    common = {"spade_checkpoint": str(tmp_path / "weights.pth"), "output": "o"}
    by_name = {"dataset": "cityscapes", "root": root, "split": "val"}
    by_folders = {
        "masks": f"{root}/gtFine/val/*/*_gtFine_labelIds.png",
        "instances": f"{root}/gtFine/val/*/*_gtFine_instanceIds.png",
        "label_space": "cityscapes",
    }
    identity = identify(resolve(Job.SYNTHESIZE, by_name | common), [])
    assert identity == identify(resolve(Job.SYNTHESIZE, by_folders | common), [])
    assert identity["label_space"] == "cityscapes"


def test_what_is_given_wins_over_the_dataset(tmp_path: Path) -> None:
    root = unpack(tmp_path / "data", COCO_FILES)
    mine = unpack(tmp_path / "mine", ["000000000139.png", "000000000785.png"])
    of_dataset = {"dataset": "coco-stuff", "root": root, "split": "val2017"}
    (first, _) = plan(Job.SYNTHESIZE, instances=mine, **of_dataset).scenes
    assert first.instance_source == f"{mine}/000000000139.png"
    assert first.mask_source == f"{root}/stuffthingmaps/val2017/000000000139.png"


def test_a_folder_without_the_layout_is_one_error(tmp_path: Path) -> None:
    root = unpack(tmp_path, ["leftImg8bit/val/bonn/bonn_000000_000019_leftImg8bit.png", "x.png"])
    with pytest.raises(ConfigurationError) as caught:
        plan(Job.SYNTHESIZE, dataset="cityscapes", root=root, split="val")
    message = str(caught.value)
    assert "\n" not in message
    assert f"{root}/gtFine/val/*/*_gtFine_labelIds.png" in message
    assert "the layout of cityscapes is masks in gtFine/{split}/*/*_gtFine_labelIds.png" in message
    assert f"{root} holds leftImg8bit, x.png. Unpack gtFine_trainvaltest.zip" in message
    with pytest.raises(ConfigurationError, match="none holds nothing that can be listed"):
        plan(Job.SYNTHESIZE, dataset="ade20k", root=str(tmp_path / "none"), split="training")


def test_missing_styles_are_not_blamed_on_the_dataset(tmp_path: Path) -> None:
    root = unpack(tmp_path, ADE20K_FILES)
    of_dataset = {"dataset": "ade20k", "root": root, "split": "validation"}
    with pytest.raises(ConfigurationError, match="none does not exist$"):
        plan(Job.SYNTHESIZE_AND_STYLIZE, styles=f"{root}/none", **of_dataset)


def test_coco_stuff_without_instance_maps_says_how_to_make_them(tmp_path: Path) -> None:
    root = unpack(tmp_path, [name for name in COCO_FILES if not name.startswith("instances")])
    with pytest.raises(
        ConfigurationError, match=r"instances/val2017.* jobs/make_instance_maps\.py"
    ):
        plan(Job.SYNTHESIZE, dataset="coco-stuff", root=root, split="val2017")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("--dataset ade20k --root r", "--dataset needs --root and --split"),
        ("--dataset ade20k --split validation", "--dataset needs --root and --split"),
        ("--masks m --root r", "--root and --split go with --dataset"),
        (
            "--dataset ade20k --root r --split val",
            "--split: ade20k has no split val, only training, validation",
        ),
        (
            "--dataset ade20k --root r --split validation --label-space cityscapes",
            "--dataset ade20k takes no other --label-space",
        ),
        ("--dataset kitti --root r --split val", "--dataset kitti: "),
    ],
)
def test_mistakes_are_one_line(flags: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{reason}"):
        parse_config(
            Job.SYNTHESIZE, [*flags.split(), "--output", "o", "--spade-checkpoint", "weights"]
        )


@pytest.mark.parametrize(
    ("where", "limit", "ids"),
    [
        ("ulm/*", None, ["ulm/ulm_000000_000019", "ulm/ulm_000001_000019"]),
        ("ulm/*", 1, ["ulm/ulm_000000_000019"]),
        ("*_00000[1-9]_*", None, ["bonn/bonn_000001_000019", "ulm/ulm_000001_000019"]),
        ("bonn*0_*, ulm*1_*", None, ["bonn/bonn_000000_000019", "ulm/ulm_000001_000019"]),
    ],
)
def test_globs_choose_a_subset(
    where: str, limit: int | None, ids: list[str], tmp_path: Path
) -> None:
    root = unpack(tmp_path, CITYSCAPES_FILES)
    (tmp_path / "weights.pth").touch()
    dataset = {"dataset": "cityscapes", "root": root, "split": "val", "output": "o"}
    dataset["spade_checkpoint"] = str(tmp_path / "weights.pth")
    part = resolve(Job.SYNTHESIZE, dataset | {"where": where, "limit": limit})
    assert [scene.id for scene in planned(part).scenes] == ids
    assert identify(part, []) == identify(resolve(Job.SYNTHESIZE, dataset), [])
    with pytest.raises(
        ConfigurationError, match="--where x matches none of 4 ids, e.g. bonn/bonn_000000"
    ):
        planned(resolve(Job.SYNTHESIZE, dataset | {"where": "x"}))


@pytest.mark.parametrize(
    ("dataset", "split", "folders"),
    [
        (
            "coco-stuff",
            "val2017",
            {
                "stuffthingmaps/val2017": "coco_stuff/val_label",
                "instances/val2017": "coco_stuff/val_inst",
                "images/val2017": "coco_stuff/val_img",
            },
        ),
        (
            "ade20k",
            "validation",
            {
                "annotations/validation": "ade20k_val/labels",
                "images/validation": "ade20k_val/images",
            },
        ),
    ],
)
def test_real_splits_are_read(
    dataset: str, split: str, folders: dict[str, str], shared: Path, tmp_path: Path
) -> None:
    for folder, source in folders.items():
        (tmp_path / folder).mkdir(parents=True)
        for path in (shared / "data" / source).iterdir():
            (tmp_path / folder / path.name).symlink_to(path)
    settings = {"dataset": dataset, "root": str(tmp_path), "split": split, "output": "o"}
    of_job = {
        Job.SYNTHESIZE: {"spade_checkpoint": "c"},
        Job.STYLIZE: {"styles": str(shared / "data/styles")},
    }
    for job, others in of_job.items():
        config = resolve(job, settings | others)
        space = config.label_space
        scenes = planned(config).scenes
        assert {scene.id for scene in scenes} == {path.stem for path in tmp_path.rglob("*.jpg")}
        read = ReadScenes(space, (64, 64), longest_side=64, max_pixels=10**7)
        for scene in read(list(scenes)):
            assert scene.failures == []
            assert scene.label_map is not None and len(np.unique(scene.label_map)) > 1
            assert (scene.content is not None) == (job is Job.STYLIZE)
            edges_wanted = job is Job.SYNTHESIZE and space.has_instance_edges
            assert (scene.edges is not None) == edges_wanted
