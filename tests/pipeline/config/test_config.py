"""Flags and YAML: every key of one is a key of the other, and mistakes are one line."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT
from spadepis.checkpoints.errors import CheckpointError
from spadepis.configuration import ConfigurationError
from spadepis.labels import COCO_STUFF, LABEL_SPACES
from spadepis.pipeline.assembly import assemble
from spadepis.pipeline.config.command import command_of, parse_config
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.config.models import refuse_missing_checkpoints
from spadepis.pipeline.config.resolution import resolve
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.declarations import Declaration
from spadepis.pipeline.stages.stage import StageSpec

JOBS = Path(__file__).parents[3] / "jobs"
SYNTHESIZE = ["--masks", "m", "--spade-checkpoint", "c", "--output", "o"]
NEEDED: dict[Job, dict[str, Any]] = {
    Job.SYNTHESIZE: {"masks": "m", "output": "o"},
    Job.STYLIZE: {"photos": "p", "styles": "s", "output": "o"},
    Job.SYNTHESIZE_AND_STYLIZE: {"masks": "m", "styles": "s", "output": "o"},
}


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("masks: m\nspade-checkpoint: c\noutput: o\nseed: 3\nlimit: 5\n")
    config = parse_config(Job.SYNTHESIZE, ["--config", str(path), "--seed", "4"])
    assert (config.inputs.masks, config.output.output) == ("m", "o")
    assert (config.output.seed, config.inputs.limit) == (4, 5)


def test_numbers_in_a_file_are_decimal(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("output: o\nmasks: 0010\nlimit: 010\nseed: 1_000\nwhere: 1:30\n")
    config = parse_config(Job.SYNTHESIZE, ["--config", str(path)])
    assert (config.inputs.limit, config.output.seed) == (10, 1000)
    assert config.inputs.where == "1:30"


@pytest.mark.parametrize("job", list(Job))
def test_every_key_is_a_flag_and_the_other_way_round(
    job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        parse_config(job, ["--help"])
    assert exit.value.code == 0
    help = capsys.readouterr().out
    command = command_of(job)
    for heading in command.sections:
        assert f"\n{heading}:\n" in help
    for name in command.settings:
        assert f"  --{name.replace('_', '-')}" in help
    for name in command.elsewhere:
        assert f"  --{name.replace('_', '-')} " not in help
    text = " ".join(help.split())
    assert ("style" in text) == job.stylizes
    assert all(name in text for name in LABEL_SPACES)
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(NEEDED[job]))
    from_file = parse_config(job, ["--config", str(path)])
    flags = [f"--{name}={value}" for name, value in NEEDED[job].items()]
    assert from_file == parse_config(job, flags) == resolve(job, NEEDED[job])


def test_switches_are_flags_and_keys(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("masks: m\noutput: o\nquality: false\n")
    assert not parse_config(Job.SYNTHESIZE, ["--config", str(path)]).quality.quality
    flags = ["--config", str(path), "--quality", "--no-keep-contents"]
    config = parse_config(Job.SYNTHESIZE, flags)
    assert config.quality.quality and not config.output.keep_contents


def test_nothing_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", "17")
    assert parse_config(Job.SYNTHESIZE, SYNTHESIZE).output.seed == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--bogus", "1"], "--bogus is no setting of synthesize$"),
        (["--mask", "m"], "--mask is no setting of synthesize (did you mean --masks?)"),
        (["--no-qualty"], "--no-qualty is no setting of synthesize (did you mean --quality?)"),
        (["--dry_run"], "--dry_run is no setting of synthesize (did you mean --dry-run?)"),
        (["--jpeg_quality=5"], "--jpeg_quality is no setting of synthesize (did you mean"),
        (["--no-limit"], "--no-limit is no setting of synthesize (did you mean --limit?)"),
        (["extra"], "unexpected argument 'extra'"),
        (["--seed", "x"], "--seed x: give a whole number"),
        (["--seed"], "--seed: expected one argument"),
        (["--limit", "0"], "--limit 0: give 1 or more"),
        (["--jpeg-quality", "101"], "--jpeg-quality 101: give 100 or less"),
        (["--max-failed-fraction", "x"], "--max-failed-fraction x: give a number"),
        (["--size", "0x256"], "--size 0x256: give WIDTHxHEIGHT, e.g. 512x256"),
        (["--size", "100000x100000"], "--size 100000x100000: give at most 80000000 pixels"),
        (["--stall-minutes", "inf"], "--stall-minutes inf: give 525600.0 or less"),
        (["--size", "256"], "--size 256: give WIDTHxHEIGHT, e.g. 512x256, or give 'source'$"),
        (["--instances", ""], "--instances: it is empty$"),
        (["--dataset", "ade20k", "--root", " ", "--split", "training"], "--root: it is empty$"),
        (["--spade-checkpoint="], "--spade-checkpoint: it is empty$"),
        (["--output", "o\udcff"], "--output o\udcff: it is not UTF-8$"),
        (["--device", "tpu"], "--device tpu: give 'auto', 'cpu' or 'cuda'"),
        (["--label-space", "coco"], "--label-space coco: "),
        (["--label-space", "ADE20K"], "(did you mean ade20k?)"),
        (["--reject", "beauty<1"], "--reject: beauty<1 is not METRIC<NUMBER"),
        (
            ["--reject", "clipped>0.2,structure<0.5"],
            "--reject: structure<0.5 would reject nothing: these results have no structure, only "
            "clipped, sharpness, boundary_disagreement, blockiness, stripes, frame$",
        ),
        (
            ["--styles", "s"],
            "synthesize takes no --styles, a setting of stylize and synthesize_and_stylize",
        ),
        (
            ["--foto", "p"],
            "--foto is no setting of synthesize (did you mean --photos, a setting of stylize?)",
        ),
        (["--label-space", "ade20k", "--instances", "i"], "only with --keep-instances"),
        (["--output", ""], "--output: it is empty$"),
        (["--config"], "--config: expected one argument"),
        (["--config", "none.yaml"], "none.yaml cannot be read: No such file"),
        (["--masks", "s3://user:secret@bucket"], "a URI contains credentials"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Without a checkpoint, a job that can be run logs which model is used.
    needed = ["--masks", "m", "--output", "o"]
    with caplog.at_level(logging.INFO), pytest.raises(ConfigurationError) as caught:
        parse_config(Job.SYNTHESIZE, needed + arguments)
    assert not caplog.messages
    message = str(caught.value)
    assert message.startswith(reason.removesuffix("$")) or reason in message
    assert not reason.endswith("$") or message == reason.removesuffix("$")
    assert "\n" not in message and "secret" not in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("stylez: 3", r"stylez is no setting of synthesize \(did you mean styles, a setting of"),
        ("mask: 3", r"mask is no setting of synthesize \(did you mean masks\?\)"),
        ("photos: p", "synthesize takes no photos, a setting of stylize"),
        ("config: other.yaml", "config is no setting of synthesize"),
        ("- a\n- b", "not a mapping"),
        ("a: [", "is not YAML"),
        ("masks: m\nseed: 1\nmasks: n", "is not YAML: the key masks occurs twice"),
        ("spade-checkpoint: a\nspade_checkpoint: b", "gives a setting twice, once with -"),
        ("seed: [1]", "--seed: give a whole number"),
        ("limit: yes", "limit is no switch; YAML reads yes"),
        ("masks: s3://user:secret@bucket", "a URI contains credentials"),
    ],
)
def test_mistakes_in_a_file(content: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        parse_config(Job.SYNTHESIZE, ["--output=o", "--config", str(path)])
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "flags"),
    [
        ("split_by: 0.1", ["--split-by=0.1"]),
        ("masks: 2017", ["--masks=2017"]),
        ("masks: 1.50", ["--masks=1.50"]),
        ("masks: 2024-01-31", ["--masks=2024-01-31"]),
        ("where: [000000000139, 2024_01]", ["--where=000000000139,2024_01"]),
        ("limit: 1_000", ["--limit=1000"]),
        ("max_failed_fraction: .5", ["--max-failed-fraction=0.5"]),
        ("containing_classes: [car, road]", ["--containing-classes=car,road"]),
        ("where: ['a/*', 3]", ["--where=a/*,3"]),
        ("split_by: ['a/*', 'b/*']", ["--split-by=a/*,b/*"]),
        ("reject: ['clipped>0.2', 'sharpness<5']", ["--reject=clipped>0.2,sharpness<5"]),
    ],
)
def test_text_may_be_a_number_or_a_list_in_a_file(
    content: str, flags: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(content)
    needed = ["--masks=m", "--output=o"]
    if content.startswith("masks"):
        needed.pop(0)
    by_file = parse_config(Job.SYNTHESIZE, [*needed, f"--config={path}"])
    by_flags = parse_config(Job.SYNTHESIZE, [*needed, *flags])
    # The values that were given are kept as they are.
    assert replace(by_file, given={}) == replace(by_flags, given={})


def test_several_values_that_do_not_fit_are_all_named() -> None:
    with pytest.raises(ConfigurationError, match="--limit 0: .*; --seed x: "):
        parse_config(Job.SYNTHESIZE, [*SYNTHESIZE, "--limit=0", "--seed=x"])


def test_a_preset_at_its_old_place_is_named_at_its_new_one() -> None:
    old = JOBS / "coco_stuff_train2017.yaml"
    new = JOBS / "presets" / "coco_stuff_train2017.yaml"
    with pytest.raises(ConfigurationError) as caught:
        parse_config(Job.SYNTHESIZE_AND_STYLIZE, ["--config", str(old)])
    assert str(caught.value) == f"{old} cannot be read: No such file or directory; it is {new} now"


@pytest.mark.parametrize("job", list(Job))
def test_what_is_missing_is_named(job: Job) -> None:
    with pytest.raises(ConfigurationError, match=rf"{job.value} needs --(masks|photos)"):
        parse_config(job, ["--output", "o"])
    needed = {name: value for name, value in NEEDED[job].items() if name != "output"}
    with pytest.raises(ConfigurationError, match=rf"{job.value} needs --output"):
        resolve(job, needed)


@pytest.mark.parametrize("job", list(Job))
def test_the_files_beside_the_jobs_hold_only_settings(job: Job) -> None:
    parse_config(job, ["--config", str(JOBS / f"{job.value}.yaml")])


@pytest.mark.parametrize("job", list(Job))
def test_checkpoints_not_given_are_the_default_models(
    job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        networks = resolve(job, NEEDED[job]).networks
    spade = DEFAULT_SPADE_CHECKPOINT if job.synthesizes else None
    photowct = DEFAULT_PHOTOWCT_CHECKPOINT if job.stylizes else None
    assert (networks.spade_checkpoint, networks.photowct_checkpoint) == (spade, photowct)
    (line,) = caplog.messages
    assert ("--spade-checkpoint" in line) == job.synthesizes
    assert ("--photowct-checkpoint" in line) == job.stylizes
    assert Path(line.rpartition("(see ")[2].rstrip(")")).is_file()


@pytest.mark.parametrize("folder", ["LOCAL", "memory://hour"])
def test_checkpoints_that_do_not_exist_are_named_once_with_what_helps(
    folder: str, tmp_path: Path
) -> None:
    both = Job.SYNTHESIZE_AND_STYLIZE
    folder = folder.replace("LOCAL", str(tmp_path / "none"))
    for given, message in (
        (
            {"checkpoints": f"{folder}/"},
            f"--checkpoints {folder}/: there is no coco_pretrained/latest_net_G.pth; "
            "docs/checkpoints.md says where to get it. Without --checkpoints, the small models "
            "that come with spadepis are used",
        ),
        (
            {"checkpoints": folder, "spade_checkpoint": DEFAULT_SPADE_CHECKPOINT},
            f"--checkpoints {folder}: there is no photo_wct.pth; docs/checkpoints.md",
        ),
        (
            {"spade_checkpoint": f"{folder}/a"},
            f"--spade-checkpoint {folder}/a: there is no such file",
        ),
        (
            {"photowct_checkpoint": f"{folder}/b"},
            f"--photowct-checkpoint {folder}/b: there is no such file",
        ),
        (
            {"photowct_checkpoint": str(tmp_path)},
            f"--photowct-checkpoint {tmp_path}: this is a folder or a web page, not a file",
        ),
    ):
        config = resolve(both, NEEDED[both] | given)
        with pytest.raises(CheckpointError) as caught:
            refuse_missing_checkpoints(config.networks, config.given)
        assert str(caught.value).startswith(message)
    refuse_missing_checkpoints(resolve(both, NEEDED[both]).networks, ())


def test_checkpoints_that_are_given_are_kept_silently(caplog: pytest.LogCaptureFixture) -> None:
    both = Job.SYNTHESIZE_AND_STYLIZE
    given = {"spade_checkpoint": "a", "photowct_checkpoint": "b"}
    with caplog.at_level(logging.INFO):
        networks = resolve(both, NEEDED[both] | given).networks
    assert (networks.spade_checkpoint, networks.photowct_checkpoint) == ("a", "b")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("label_space", "file"),
    [
        ("coco-stuff", "coco_pretrained/latest_net_G.pth"),
        ("ade20k-0-to-149", "ade20k_pretrained/latest_net_G.pth"),
        ("cityscapes", "cityscapes_pretrained/latest_net_G.pth"),
    ],
)
def test_checkpoints_lie_in_one_folder_as_they_were_released(label_space: str, file: str) -> None:
    both = Job.SYNTHESIZE_AND_STYLIZE
    settings = NEEDED[both] | {"label_space": label_space, "checkpoints": "s3://bucket/c/"}
    config = resolve(both, settings)
    assert config.networks.spade_checkpoint == f"s3://bucket/c/{file}"
    assert config.networks.photowct_checkpoint == "s3://bucket/c/photo_wct.pth"
    assert config.generator_classes is None
    own = resolve(both, settings | {"photowct_checkpoint": "mine"})
    assert own.networks.photowct_checkpoint == "mine"


def test_a_label_space_of_ones_own_needs_a_generator(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "{name: mine, size: 64x64, classes: [{name: road, value: 1}]}"
    )
    settings = NEEDED[Job.SYNTHESIZE] | {"label_space": str(tmp_path / "mine.yaml")}
    for more, why in (({}, "the default model"), ({"checkpoints": "c"}, "--checkpoints")):
        with (
            caplog.at_level(logging.INFO),
            pytest.raises(
                ConfigurationError, match=f"mine needs --spade-checkpoint: {why} .*; train one, or"
            ),
        ):
            resolve(Job.SYNTHESIZE, settings | more)
    assert not caplog.messages


class Painter:
    """Stands for a generator of one's own."""

    declaration: ClassVar = Declaration("synthesize", devices=("cpu",), per_result=False)

    def __call__(self, scenes: list[Scene]) -> list[Scene]:
        return scenes


def test_a_stage_of_ones_own_replaces_one_that_there_is() -> None:
    class Misspelt(Painter):
        declaration: ClassVar = Declaration("synthesise")

    needed = NEEDED[Job.SYNTHESIZE]
    with pytest.raises(ConfigurationError, match=r"no stage synthesise .* mean synthesize\?"):
        resolve(Job.SYNTHESIZE, needed, [StageSpec(Misspelt)])
    with pytest.raises(ConfigurationError, match="two stages of your own are named synthesize"):
        resolve(Job.SYNTHESIZE, needed, [StageSpec(Painter), StageSpec(Painter)])


class PainterOnGpu(Painter):
    """One that can use a GPU."""

    declaration: ClassVar = Declaration("synthesize", devices=("cpu", "cuda"), per_result=False)


def test_a_stage_of_ones_own_that_can_use_a_gpu_is_told_its_device() -> None:
    for kind, arguments in (
        (Painter, {"grain": 1}),
        (PainterOnGpu, {"grain": 1, "device": "cuda"}),
    ):
        own = [StageSpec(kind, {"grain": 1})]
        config = resolve(Job.SYNTHESIZE, NEEDED[Job.SYNTHESIZE], own)
        (_, synthesis, *_) = assemble(config, {kind.declaration: "cuda"})
        assert synthesis == StageSpec(kind, arguments)


@pytest.mark.parametrize("more", [{}, {"checkpoints": "c"}], ids=["none", "released"])
@pytest.mark.parametrize("label_space", ["mine", "ade20k", "coco-stuff"])
def test_a_generator_of_ones_own_serves_any_label_space_without_spade(
    label_space: str, more: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if label_space == "mine":
        path = tmp_path / "mine.yaml"
        path.write_text("{name: mine, size: 64x64, classes: [{name: road, value: 1}]}")
        label_space = str(path)
    settings = NEEDED[Job.SYNTHESIZE] | {"label_space": label_space} | more
    with caplog.at_level(logging.INFO):
        config = resolve(Job.SYNTHESIZE, settings, [StageSpec(Painter)])
    assert config.networks.spade_checkpoint is None
    assert (config.generator_space, config.generator_classes) == (config.label_space, None)
    assert list(config.own_stages) == ["synthesize"]
    assert not caplog.messages


@pytest.mark.parametrize("label_space", ["ade20k", "cityscapes", "cityscapes-train-ids"])
def test_the_default_model_serves_other_label_spaces_by_translation(
    label_space: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = NEEDED[Job.SYNTHESIZE] | {"label_space": label_space}
    with caplog.at_level(logging.INFO):
        config = resolve(Job.SYNTHESIZE, settings)
    assert f"each class of {label_space} is synthesized as the class of coco-stuff" in caplog.text
    assert config.networks.spade_checkpoint == DEFAULT_SPADE_CHECKPOINT
    assert (config.label_space.name, config.generator_space) == (label_space, COCO_STUFF)
    sky = config.label_space.names.index("sky")
    assert config.generator_classes is not None
    assert COCO_STUFF.names[config.generator_classes[sky]] == "sky-other"

    caplog.clear()
    own = resolve(Job.SYNTHESIZE, settings | {"spade_checkpoint": "c"})
    assert (own.generator_space, own.generator_classes) == (own.label_space, None)
    # Without synthesis no generator is needed.
    resolve(Job.STYLIZE, NEEDED[Job.STYLIZE] | {"label_space": label_space})
    assert "synthesized" not in caplog.text


@pytest.mark.parametrize(
    ("job", "settings", "size"),
    [
        (Job.SYNTHESIZE, {}, (256, 256)),
        (Job.SYNTHESIZE, {"size": "96x64"}, (64, 96)),
        (Job.SYNTHESIZE, {"size": "97x65"}, (65, 97)),
        (Job.STYLIZE, {}, None),
        (Job.STYLIZE, {"size": "97x65"}, (65, 97)),
        (Job.SYNTHESIZE, {"label_space": "cityscapes", "spade_checkpoint": "c"}, (256, 512)),
    ],
)
def test_the_size_is_height_and_width(
    job: Job, settings: dict[str, str], size: tuple[int, int] | None
) -> None:
    assert resolve(job, NEEDED[job] | settings).size == size


def test_settings_that_go_together_are_checked_by_what_was_given() -> None:
    stylize = NEEDED[Job.STYLIZE]
    assert resolve(Job.STYLIZE, stylize | {"pairing": "all"}).styles.styles_per_mask == 1
    for given, reason in (
        ({"pairing": "all", "styles_per_mask": 1}, "--pairing all takes no --styles-per-mask"),
        ({"match_diversity": 0.3}, "--match-diversity goes with --pairing match"),
        ({"region_guidance": "fallback"}, "--region-guidance needs --style-masks"),
        ({"keep_instances": True}, "--keep-instances needs --instances"),
        ({"masks": "m", "instances": "i"}, "stylize takes --instances only with --keep-instances"),
        ({"instances": "i", "keep_instances": True}, "--instances needs --masks"),
        ({"reject": "clipped>0.2", "quality": False}, "--reject needs the metrics of --quality"),
        ({"replace_rejected": True}, "--replace-rejected needs --reject"),
        ({"reject": "boundary_disagreement>0.5"}, "results have no boundary_disagreement, only"),
        ({"size": "100x15"}, "--size 100x15: stylize needs sides of 16 or more"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            resolve(Job.STYLIZE, stylize | given)
