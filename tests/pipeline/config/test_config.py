"""Flags and YAML: every key of one is a key of the other, and mistakes are one line."""

import logging
from pathlib import Path

import pytest
import yaml

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINTS
from spadepis.configuration import ConfigurationError
from spadepis.pipeline.config.parsing import check_config, parse_config
from spadepis.pipeline.config.settings import Job, JobConfig, with_default_models

SYNTHESIZE = ["--masks", "m", "--spade-checkpoint", "c", "--output", "o"]


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("masks: m\nspade-checkpoint: c\noutput: o\nseed: 3\nlimit: 5\n")
    config = parse_config(Job.SYNTHESIZE, ["--config", str(path), "--seed", "4"])
    assert (config.masks, config.output, config.seed, config.limit) == ("m", "o", 4, 5)


def test_every_key_is_a_flag_and_the_other_way_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        parse_config(Job.SYNTHESIZE, ["--help"])
    assert exit.value.code == 0
    help = capsys.readouterr().out
    config = parse_config(Job.SYNTHESIZE, SYNTHESIZE)
    values = config.model_dump(exclude={"config"}, exclude_unset=True)
    for name in JobConfig.model_fields:
        assert f"--{name.replace('_', '-')}" in help
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(values))
    again = parse_config(Job.SYNTHESIZE, ["--config", str(path)])
    assert again.model_dump(exclude={"config"}) == config.model_dump(exclude={"config"})


def test_nothing_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", "17")
    assert parse_config(Job.SYNTHESIZE, SYNTHESIZE).seed == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--bogus", "1"], "unrecognized arguments: --bogus 1"),
        (["--seed", "x"], "--seed: input should be a valid integer"),
        (["--styles-per-mask", "0"], "--styles-per-mask: input should be greater"),
        (["--size", "256"], "--size: string should match"),
        (["--size", "250x256"], "size 250x256: SPADE needs multiples of 32"),
        (["--label-space", "coco"], "--label-space: "),
        (["--styles", "s"], "synthesize takes no --styles"),
        (["--label-space", "ade20k", "--instances", "i"], "ade20k takes no --instances"),
        (["--config"], "--config: expected one argument"),
        (["--config", "none.yaml"], "none.yaml cannot be read: No such file"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        parse_config(Job.SYNTHESIZE, SYNTHESIZE + arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("stylez: 3", r"unknown key stylez \(did you mean styles\?\)"),
        ("config: other.yaml", "unknown key config"),
        ("- a\n- b", "not a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_mistakes_in_a_file(content: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=reason) as caught:
        parse_config(Job.SYNTHESIZE, [*SYNTHESIZE, "--config", str(path)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("job", list(Job))
def test_what_is_missing_is_named(job: Job) -> None:
    with pytest.raises(ConfigurationError, match=rf"{job.value} needs --(masks|photos)"):
        parse_config(job, ["--output", "o"])


@pytest.mark.parametrize("job", list(Job))
def test_the_files_beside_the_jobs_hold_only_settings(job: Job) -> None:
    path = Path(__file__).parents[3] / "jobs" / f"{job.value}.yaml"
    parse_config(job, ["--config", str(path)])


@pytest.mark.parametrize("job", list(Job))
def test_checkpoints_not_given_are_the_default_models(
    job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        config = with_default_models(job, JobConfig(output="o", seed=3))
    spade = DEFAULT_SPADE_CHECKPOINTS["coco-stuff"] if job.synthesizes else None
    photowct = DEFAULT_PHOTOWCT_CHECKPOINT if job.stylizes else None
    assert (config.spade_checkpoint, config.photowct_checkpoint) == (spade, photowct)
    assert config.seed == 3
    (line,) = caplog.messages
    assert ("--spade-checkpoint" in line) == job.synthesizes
    assert ("--photowct-checkpoint" in line) == job.stylizes
    assert "spadepis/checkpoints/models/README.md" in line


def test_checkpoints_that_are_given_are_kept_silently(caplog: pytest.LogCaptureFixture) -> None:
    config = JobConfig(output="o", spade_checkpoint="a", photowct_checkpoint="b")
    with caplog.at_level(logging.INFO):
        assert with_default_models(Job.SYNTHESIZE_AND_STYLIZE, config) == config
    assert not caplog.messages


@pytest.mark.parametrize("label_space", ["ade20k", "cityscapes"])
def test_the_default_model_is_for_coco_stuff_alone(label_space: str) -> None:
    arguments = ["--masks", "m", "--output", "o", "--label-space", label_space]
    reason = f"{label_space} needs --spade-checkpoint: .* a model for coco-stuff alone"
    with pytest.raises(ConfigurationError, match=reason):
        parse_config(Job.SYNTHESIZE, arguments)
    parse_config(Job.SYNTHESIZE, [*arguments, "--spade-checkpoint", "c"])
    # Without synthesis there is no generator to be had.
    photos = JobConfig.model_validate(
        {"output": "o", "photos": "p", "styles": "s", "label_space": label_space}
    )
    check_config(Job.STYLIZE, photos)
