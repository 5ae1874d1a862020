"""Every command line in the texts is one that the real parsers take."""

import runpy
import shlex
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from jobs.convert_checkpoint import ConversionConfig
from jobs.make_instance_maps import InstanceMapsConfig
from spadepis.cli import main as cli
from spadepis.configuration import Configuration, ConfigurationError, parse_settings
from spadepis.pipeline.config.command import parse_config
from spadepis.pipeline.config.job import Job
from spadepis.training.config import TrainPhotoWCTConfig, TrainSpadeConfig
from tests.docs.markdown import ROOT, TEXTS, commands, fenced_blocks, read
from tools.benchmark.config import BenchmarkConfig
from tools.benchmark.scaling import ScalingConfig
from tools.count_launches import LaunchesConfig
from tools.model_evaluation.config import EvaluationConfig
from tools.studies.augmentation.config import AugmentationStudyConfig
from tools.studies.augmentation.styles import StylesConfig
from tools.studies.pcakd.config import ComparisonConfig

SETTINGS: dict[str, type[Configuration]] = {
    "convert_checkpoint": ConversionConfig,
    "evaluate_models": EvaluationConfig,
    "make_instance_maps": InstanceMapsConfig,
    "train_photowct": TrainPhotoWCTConfig,
    "train_spade": TrainSpadeConfig,
    "tools.benchmark": BenchmarkConfig,
    "tools.benchmark.simulate_scaling": ScalingConfig,
    "tools.count_launches": LaunchesConfig,
    "tools.studies.augmentation": AugmentationStudyConfig,
    "tools.studies.augmentation.styles": StylesConfig,
    "tools.studies.pcakd": ComparisonConfig,
}
COMMANDS = sorted({command for text in TEXTS for command in commands(read(text))})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the jobs' YAML files and the label spaces that texts describe."""
    for folder in ("jobs", "tools"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    spaces = {"docs/datasets.md": "my-streets", "examples/own_label_space.md": "my-park"}
    for text, name in spaces.items():
        (block,) = fenced_blocks(read(text), "yaml")
        (tmp_path / f"{name}.yaml").write_text(block)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_line_is_taken(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *arguments = shlex.split(command, comments=True)
    if program == "spadepis":
        _spadepis(arguments, monkeypatch)
        return
    job = _job(arguments)
    if job in list(Job):
        parse_config(Job(job), arguments)
    elif job in SETTINGS:
        parse_settings(SETTINGS[job], arguments)
    else:
        _run_until_parsed(job, arguments, monkeypatch)


def _job(arguments: list[str]) -> str:
    """Take the job, or after ``-m`` the module, from what follows ``python``."""
    if arguments[0] == "-m":
        _, module, *arguments[:] = arguments
        assert find_spec(module)
        return module
    script = Path(arguments.pop(0))
    assert (ROOT / "jobs" / script.name).exists()
    return script.stem


def _spadepis(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The command itself, stopped where its work would begin."""
    monkeypatch.setattr(sys, "argv", ["spadepis", *arguments])
    monkeypatch.setattr(cli, "exit_status", lambda work, resumes=False: 0)
    # `spadepis run stylize` alone stands for the job with its settings.
    if arguments[0] != "run" or len(arguments) > 2:
        monkeypatch.setattr(cli, "run_job", lambda job, rest: parse_config(job, rest) and 0)
    assert cli.main() == 0


class _ParsedError(Exception):
    """Ends a job once it knows its arguments."""


def _run_until_parsed(job: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    parse = ArgumentParser.parse_args

    def parse_and_stop(parser: ArgumentParser, *given: Any) -> None:
        parse(parser, *given)
        raise _ParsedError

    monkeypatch.setattr(sys, "argv", [job, *arguments])
    monkeypatch.setattr(ArgumentParser, "parse_args", parse_and_stop)
    with pytest.raises(_ParsedError):
        runpy.run_module(job, run_name="__main__")


def test_commands_are_found() -> None:
    assert "spadepis demo --styles my-photos --masks my-label-maps --output my-demo" in COMMANDS
    assert "python -m tools.benchmark --config tools/benchmark/benchmark.yaml" in COMMANDS
    assert any(c.startswith("python jobs/evaluate_models.py --config") for c in COMMANDS)
    assert any("--label-space my-streets.yaml --output out/spade" in c for c in COMMANDS)


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "command",
    [
        "python jobs/stylize.py --photos p --styles s --output o --bogus 1",
        "python jobs/synthesize.py --masks m",
        "python -m tools.benchmark --device tpu",
        "spadepis run stylize --masks m --output o",
    ],
)
def test_a_wrong_command_line_is_noticed(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError):
        test_the_command_line_is_taken(command, monkeypatch)


def test_a_wrong_flag_of_a_small_job_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        _run_until_parsed("tools.demo_inputs.draw_layouts", ["--bogus", "1"], monkeypatch)
