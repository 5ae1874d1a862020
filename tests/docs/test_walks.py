"""The walks in ``examples`` work, step by step, on small inputs."""

import re
import runpy
import shlex
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from spadepis.cli.main import main
from tests.docs.markdown import ROOT, read

SCENES, SIDE = 4, 64
# A file in YAML, named in the sentence before it; a piece of Python; a command.
STEP = re.compile(
    r"`(?P<file>[\w-]+\.yaml)`[^`]*```yaml\n(?P<yaml>.*?)```"
    r"|```python\n(?P<python>.*?)```"
    r"|(?<=\n\n)(?P<command>(?: {4}[^\n]*\n)+)",
    re.DOTALL,
)


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with photos, label maps of three classes and a void, and styles."""
    random = np.random.default_rng(0)
    for name in ("photos", "masks", "styles"):
        (tmp_path / name).mkdir()
    for i in range(SCENES):
        labels = np.repeat([3, 3, 2, 1], SIDE // 4)[:, None].repeat(SIDE, 1).astype(np.uint8)
        labels[: i + 1, :9] = 255
        Image.fromarray(labels).save(tmp_path / f"masks/{i}.png")
        photo = 40 + 60 * labels[..., None].clip(0, 3) + random.integers(0, 20, (SIDE, SIDE, 3))
        Image.fromarray(photo.astype(np.uint8)).save(tmp_path / f"photos/{i}.png")
    for name in ("dusk", "snow"):
        style = random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(style).resize((SIDE, SIDE)).save(tmp_path / f"styles/{name}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def steps(walk: str) -> Iterator[tuple[str, str]]:
    for match in STEP.finditer(read(f"examples/{walk}.md")):
        if match["yaml"]:
            yield match["file"], match["yaml"]
        elif match["python"]:
            yield "python", match["python"]
        else:
            commands = textwrap.dedent(match["command"]).replace("\\\n", " ").splitlines()
            yield from (("command", command) for command in commands)


def take(walk: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Do each step; returns the variables of the last piece of Python."""
    variables: dict[str, Any] = {}
    for kind, text in steps(walk):
        if kind == "command":
            program, *arguments = shlex.split(text)
            assert program == "spadepis"
            # The made-up scenes are too few and too simple to look like a dataset.
            plausible = ["--accept-implausible"] if arguments[0] == "run" else []
            monkeypatch.setattr(sys, "argv", ["spadepis", *arguments, *plausible])
            assert main() == 0, text
        elif kind == "python":
            variables = {}
            exec(compile(text, "<walk>", "exec"), variables)
        else:
            Path(kind).write_text(text)
    return variables


@pytest.mark.long
@pytest.mark.usefixtures("cluster", "inputs")
def test_a_label_space_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = take("own_label_space", monkeypatch)
    assert "4 classes: sky" in capsys.readouterr().out
    assert list(variables["images"].classes) == ["road", "grass", "sky"]
    assert set(np.unique(np.asarray(Image.open("coco/0.png")))) == {123, 148, 156, 255}
    assert len(pq.read_table("synthesized/metadata.parquet")) == SCENES


@pytest.mark.usefixtures("cluster", "inputs")
def test_an_augmented_training_set(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = take("augmented_training_set", monkeypatch)
    assert 0 < len(variables["images"]) <= 2 * SCENES
    image, mask = variables["images"][0]
    assert image.shape[1:] == mask.shape == (48, 48)


@pytest.mark.long
@pytest.mark.usefixtures("cluster", "inputs")
def test_frameworks(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("masks").rename("other")
    Path("masks").mkdir()
    for path in Path("other").iterdir():
        # Classes of COCO-Stuff.
        Image.fromarray(np.asarray(Image.open(path)) % 128).save(Path("masks") / path.name)
    take("use_in_frameworks", monkeypatch)


@pytest.mark.usefixtures("cluster", "inputs")
def test_a_generator_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    script = str(ROOT / "examples/own_generator.py")
    arguments = ["--masks=masks", "--output=out", "--size=64x64", "--image-format=png"]
    monkeypatch.setattr(sys, "argv", [script, *arguments, "--accept-implausible"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(script, run_name="__main__")
    assert end.value.code == 0
    assert len(pq.read_table("out/metadata.parquet")) == SCENES
    assert "Painter(grain=12.0)" in Path("out/_commits/configuration.json").read_text()
