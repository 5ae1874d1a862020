"""The ``spadepis`` command: its commands, and how little of it is imported for a help text."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import spadepis
from spadepis.cli.main import COMMANDS, main
from spadepis.pipeline.config.job import Job

DEMO_MASKS = Path(spadepis.__file__).parent / "demo" / "inputs" / "masks"
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


@pytest.mark.parametrize("command", ["inspect", "repair", "figure"])
def test_a_file_is_no_image_set(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "out"
    file.touch()
    monkeypatch.setattr(sys, "argv", ["spadepis", command, str(file)])
    assert main() == 2
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["inspct"], "unknown command 'inspct' (did you mean inspect?)"),
        (["run", "sytlize"], "unknown job 'sytlize' (did you mean stylize?)"),
        (["run", "bogus"], "(there are synthesize, stylize, synthesize_and_stylize)"),
    ],
)
def test_a_misspelt_name_is_suggested(
    arguments: list[str],
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["spadepis", *arguments])
    with pytest.raises(SystemExit):
        main()
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_commands_jobs_and_flags(
    shell: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["spadepis", "completion", shell])
    assert main() == 0
    script = capsys.readouterr().out
    assert all(word in script for word in (*COMMANDS, *Job, "--styles-per-mask", "--verify"))


def test_bash_completes_a_flag() -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not here")
    command = [sys.executable, "-m", "spadepis", "completion", "bash"]
    script = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ask = "COMP_WORDS=(spadepis run stylize --styles-p); COMP_CWORD=3; "
    ask += "_shtab_spadepis spadepis --styles-p stylize; echo ${COMPREPLY[@]}"
    shown = subprocess.run([bash, "-c", script + ask], check=True, capture_output=True, text=True)
    assert shown.stdout.split() == ["--styles-per-mask"]


def test_a_log_in_json_holds_an_object_in_each_line(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("log_format: json")
    command = [sys.executable, "-m", "spadepis", "run", "stylize", "--config=job.yaml"]
    command += ["--photos=absent", "--styles=absent", "--output=out"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [set(line) for line in lines] == [{"time", "level", "logger", "message"}] * len(lines)
    assert [line["level"] for line in lines] == ["info", "info", "error"]
    assert "absent does not exist" in lines[-1]["message"]


def test_a_terminal_may_lack_letters_of_names(tmp_path: Path) -> None:
    (tmp_path / "ü.png").write_bytes((DEMO_MASKS / "lake.png").read_bytes())
    script = "import sys\nfrom spadepis.cli.main import main\nsys.exit(main())"
    command = [sys.executable, "-c", script, "run", "synthesize", "--dry-run"]
    command += ["--masks", str(tmp_path), "--output", str(tmp_path / "ö")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    shown = subprocess.run(command, check=True, capture_output=True, env=environment).stdout
    assert b"\\xf6, a new folder" in shown
