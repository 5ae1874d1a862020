"""Image sets that version 0.1 wrote are those of the same configuration today."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spadepis.checkpoints.defaults import (
    DEFAULT_PHOTOWCT_CHECKPOINT,
    DEFAULT_SPADE_CHECKPOINT,
    REPLACED_DEFAULTS,
)
from spadepis.checkpoints.fetching import sha256
from spadepis.configuration import ConfigurationError
from spadepis.dataset.image_set.commit_log import commit_files, write_commits
from spadepis.dataset.image_set.commits import Commit
from spadepis.dataset.image_set.layout import CONFIGURATION
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.command import command_of
from spadepis.pipeline.config.identity import check_identity, identify, identity_hash
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.resolution import JobConfig, resolve
from spadepis.pipeline.stages.smooth import Smooth
from spadepis.pipeline.stages.stage import StageSpec

WRITTEN = Path(__file__).parent / "written_by_0_1"
STYLE_IDS = [
    "02_canal_clouds",
    "03_mountain_haze",
    "04_blue_hour_skyline",
    "05_green_hill",
    "08_night_road",
    "09_spring_blossom",
    "12_snow_forest",
    "13_dusk_lake",
    "14_sunset_beach",
    "15_cherry_blossom",
    "16_red_coast_sunset",
    "17_violet_sunset_hill",
    "18_red_desert",
    "19_misty_mountain",
    "21_snow_trees",
    "23_rain_road",
]
# The settings that the files were written with.
SETTINGS: dict[Job, dict[str, Any]] = {
    Job.SYNTHESIZE: {"masks": "masks", "instances": "instances"},
    Job.STYLIZE: {"photos": "photos", "masks": "masks", "styles": "styles", "styles_per_mask": 3},
    Job.SYNTHESIZE_AND_STYLIZE: {
        "masks": "masks",
        "instances": "instances",
        "styles": "styles",
        "styles_per_mask": 3,
    },
}


def configuration(job: Job, folder: Path, **others: Any) -> JobConfig:
    values = {
        name: f"{folder}/{value}" if isinstance(value, str) else value
        for name, value in SETTINGS[job].items()
    }
    return resolve(job, values | {"size": "64x64", "output": str(folder / "out")} | others)


def written(job: Job, folder: Path) -> dict[str, Any]:
    """The file that 0.1 wrote, as if its inputs had been in ``folder``."""
    text = (WRITTEN / f"{job.value}.json").read_text().replace("INPUTS", str(folder))
    text = text.replace("SPADE", sha256(DEFAULT_SPADE_CHECKPOINT))
    text = text.replace("PHOTOWCT", sha256(DEFAULT_PHOTOWCT_CHECKPOINT))
    content: dict[str, Any] = json.loads(text)
    return content


def output(folder: Path, identity: dict[str, Any]) -> Folder:
    found = Folder(str(folder / "out"))
    found.write(CONFIGURATION, json.dumps(identity).encode())
    write_commits(found, [Commit("a", None, None, None, error="ValueError")])
    return found


def style_ids(job: Job) -> list[str]:
    return STYLE_IDS if job.stylizes else []


@pytest.mark.parametrize("job", list(Job))
def test_a_set_of_0_1_is_resumed(job: Job, tmp_path: Path) -> None:
    earlier = written(job, tmp_path)
    identity = identify(configuration(job, tmp_path), style_ids(job))
    later = {name: identity.pop(name) for name in identity.keys() - earlier.keys()}
    of_photos = {"deblock": False} if job is Job.STYLIZE else {}
    in_all = {
        "label_grid": None,
        "label_scaling": None,
        "keep_instances": False,
        "own_stages": None,
    }
    of_contents = {"content_seed": 0} if job.synthesizes else {}
    assert later == in_all | of_photos | of_contents
    assert identity.items() <= earlier.items()
    # Version 0.1 also wrote the settings that the job does not have, or does not use.
    unused = {"longest_side"} if job.synthesizes else set()
    assert earlier.keys() - identity.keys() - unused <= command_of(job).elsewhere.keys()
    check_identity(output(tmp_path, earlier), identity | later)


@pytest.mark.parametrize("job", list(Job))
@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        ({"seed": 5}, "--seed was 0, is 5"),
        ({"size": "96x64"}, "--size was 64x64, is 96x64"),
        ({"quality": False}, "--quality was on, is off"),
        ({"masks": "elsewhere"}, "--masks was .*/masks, is .*/elsewhere"),
    ],
)
def test_another_configuration_is_refused_with_the_difference(
    job: Job, settings: dict[str, Any], difference: str, tmp_path: Path
) -> None:
    folder = output(tmp_path, written(job, tmp_path))
    identity = identify(configuration(job, tmp_path, **settings), style_ids(job))
    with pytest.raises(ConfigurationError, match=f"another configuration: {difference}. Give "):
        check_identity(folder, identity)


def test_of_another_job_nothing_else_is_said(tmp_path: Path) -> None:
    folder = output(tmp_path, written(Job.SYNTHESIZE_AND_STYLIZE, tmp_path))
    identity = identify(configuration(Job.STYLIZE, tmp_path), STYLE_IDS)
    with pytest.raises(ConfigurationError) as caught:
        check_identity(folder, identity)
    assert str(caught.value) == (
        f"{folder.uri} was made by the job synthesize_and_stylize, and this is stylize. "
        "Give another --output, or remove that folder"
    )


def test_keys_that_are_no_settings_are_named_in_words(tmp_path: Path) -> None:
    earlier = written(Job.STYLIZE, tmp_path)
    identity = identify(configuration(Job.STYLIZE, tmp_path, reject="clipped>0.2"), ["another"])
    identity["photowct_checkpoint_sha256"] = "0" * 64
    with pytest.raises(ConfigurationError) as caught:
        check_identity(output(tmp_path, earlier), identity)
    message = str(caught.value)
    assert "--reject was not given, is clipped>0.2; the list of style photos was " in message
    assert "the SHA-256 of --photowct-checkpoint was " in message


@pytest.mark.parametrize(("job", "network"), [(Job.SYNTHESIZE, "spade"), (Job.STYLIZE, "photowct")])
def test_a_set_of_replaced_default_weights_names_the_file_that_resumes_it(
    job: Job, network: str, tmp_path: Path
) -> None:
    (digest,) = (key for key, place in REPLACED_DEFAULTS.items() if f"/{network}" in place)
    earlier = written(job, tmp_path) | {f"{network}_checkpoint_sha256": digest}
    identity = identify(configuration(job, tmp_path), style_ids(job))
    expected = f"give --{network}-checkpoint .* of spadepis 0.1.0;"
    with pytest.raises(ConfigurationError, match=expected):
        check_identity(output(tmp_path, earlier), identity)
    check_identity(output(tmp_path, earlier), identity | {f"{network}_checkpoint_sha256": digest})


def test_a_set_without_commits_is_free_for_another_one(tmp_path: Path) -> None:
    folder = output(tmp_path, written(Job.SYNTHESIZE, tmp_path))
    for name in commit_files(folder):
        folder.remove(name)
    check_identity(folder, identify(configuration(Job.SYNTHESIZE, tmp_path, seed=5), []))


@pytest.mark.parametrize("name", ["README.md", "report.html", "metadata.parquet"])
def test_a_folder_with_files_of_somebody_else_is_refused(name: str, tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "out"))
    identity = identify(configuration(Job.SYNTHESIZE, tmp_path), [])
    folder.write("notes.txt", b"of somebody else")
    check_identity(folder, identity)
    folder.write(name, b"of somebody else")
    with pytest.raises(ConfigurationError, match=f"is no image set and holds {name}"):
        check_identity(folder, identity)
    with pytest.raises(ConfigurationError, match="it is a file"):
        check_identity(Folder(folder.uri_of(name)), identity)


def test_the_hash_of_an_identity(tmp_path: Path) -> None:
    identity = identify(configuration(Job.SYNTHESIZE, tmp_path), [])
    other = identify(configuration(Job.SYNTHESIZE, tmp_path, seed=5), [])
    assert identity_hash(identity) != identity_hash(other)
    # An earlier version did not know a setting.
    earlier = {name: value for name, value in identity.items() if name != "label_grid"}
    assert identity_hash(identity) == identity_hash(earlier)


def test_settings_of_a_run_are_no_part_of_the_set(tmp_path: Path) -> None:
    job = Job.SYNTHESIZE_AND_STYLIZE
    of_run = {
        "device": "cpu",
        "smoothing_workers": 3,
        "cluster_cpus": 64,
        "limit": 7,
        "where": "a*",
        "containing_classes": "car",
        "retry_failed": True,
        "max_failed_fraction": 0.5,
        "s3_anonymous": True,
        "s3_endpoint": "http://localhost",
    }
    identity = identify(configuration(job, tmp_path, **of_run), STYLE_IDS)
    assert identity == identify(configuration(job, tmp_path), STYLE_IDS)


def test_a_key_that_is_missing_stands_for_its_default(tmp_path: Path) -> None:
    job = Job.STYLIZE
    earlier = written(job, tmp_path)
    for key in ("style_strength", "precision", "reject"):
        del earlier[key]
    folder = output(tmp_path, earlier)
    check_identity(folder, identify(configuration(job, tmp_path), STYLE_IDS))
    weak = identify(configuration(job, tmp_path, style_strength=0.5), STYLE_IDS)
    with pytest.raises(ConfigurationError, match=r"--style-strength was 1\.0, is 0\.5"):
        check_identity(folder, weak)


def test_a_key_of_a_setting_that_is_gone_is_ignored(tmp_path: Path) -> None:
    job = Job.STYLIZE
    folder = output(tmp_path, written(job, tmp_path) | {"grain": 3})
    check_identity(folder, identify(configuration(job, tmp_path), STYLE_IDS))


@pytest.mark.parametrize(
    "settings",
    [{"pairing": "match"}, {"style_masks": "styles"}],
    ids=["chosen by regions", "guided by regions"],
)
def test_groups_of_related_classes_are_part_of_it(settings: dict[str, Any], tmp_path: Path) -> None:
    identities = []
    for number, group in enumerate(("[sea, river]", "[tree, bush]")):
        path = tmp_path / f"{number}.yaml"
        path.write_text(f"- {group}\n")
        config = configuration(Job.STYLIZE, tmp_path, related_classes=str(path), **settings)
        identities.append(identify(config, STYLE_IDS))
    output(tmp_path, identities[0])
    check_identity(Folder(str(tmp_path / "out")), identities[0])
    with pytest.raises(ConfigurationError, match="--related-classes was .*, is "):
        check_identity(Folder(str(tmp_path / "out")), identities[1])


def test_a_stage_that_is_another_one_in_every_run_is_refused(tmp_path: Path) -> None:
    plain = configuration(Job.SYNTHESIZE, tmp_path)
    own = replace(plain, own_stages={"smooth": StageSpec(Smooth, {"radius": object()})})
    with pytest.raises(ConfigurationError, match="give the class of that argument a __repr__"):
        identify(own, [])


def test_stages_of_ones_own_are_part_of_it(tmp_path: Path) -> None:
    plain = configuration(Job.SYNTHESIZE, tmp_path)
    own = replace(plain, own_stages={"smooth": StageSpec(Smooth, {"radius": 1})})
    output(tmp_path, identify(own, []))
    with pytest.raises(
        ConfigurationError, match=r"of your own was {'smooth': 'Smooth\(radius=1\)'}, is not given"
    ):
        check_identity(Folder(str(tmp_path / "out")), identify(plain, []))
