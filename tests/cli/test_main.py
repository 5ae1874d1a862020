"""The ``spadepis`` command: its commands, and how little of it is imported for a help text."""

import subprocess
import sys

import pytest

import spadepis
from spadepis.cli.main import COMMANDS, main
from spadepis.pipeline.config.job import Job

SLOW = ("torch", "torchvision", "numba", "scipy", "skimage", "ray", "pyarrow")
# Runs the command and prints what it imported, after the help text.
SCRIPT = """
import atexit, sys
atexit.register(lambda: print("imported", *sorted(sys.modules)))
from spadepis.cli.main import main
sys.argv = ["spadepis", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], *(["run", job.value, "--help"] for job in Job)],
    ids=str,
)
def test_a_help_text_imports_nothing_slow(arguments: list[str]) -> None:
    command = [sys.executable, "-c", SCRIPT, *arguments]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text, _, imported = shown.rpartition("imported ")
    assert text
    assert not set(imported.split()) & set(SLOW)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_text(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["spadepis", command, "--help"])
    with pytest.raises(SystemExit) as exit:
        main()
    assert exit.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: spadepis {command} ")


def test_the_settings_of_a_job_follow_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["spadepis", "run", "stylize", "--help"])
    with pytest.raises(SystemExit) as exit:
        main()
    assert exit.value.code == 0
    assert capsys.readouterr().out.startswith("usage: spadepis run stylize ")


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["spadepis", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().out == f"spadepis {spadepis.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["run", "bogus"], ["inspect"], ["plan"]])
def test_a_wrong_command_line(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["spadepis", *arguments])
    with pytest.raises(SystemExit) as exit:
        main()
    assert exit.value.code == 2
