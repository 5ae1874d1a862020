"""The demonstration: its inputs, and one run of the command on small models."""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from spadepis import ImageSet
from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT
from spadepis.cli.main import main
from spadepis.configuration import ConfigurationError
from spadepis.dataset.inputs.listing import list_images
from spadepis.demo.run import INPUTS, demo_config

Command = Callable[..., int]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run ``spadepis`` with the given arguments and return its exit status."""

    def call(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["spadepis", *arguments])
        return main()

    return call


def test_what_is_not_given_is_what_comes_with_spadepis() -> None:
    config = demo_config()
    assert config.output.output == "spadepis-demo"
    assert config.styles.styles_per_mask == 3
    assert config.networks.spade_checkpoint == DEFAULT_SPADE_CHECKPOINT
    assert config.networks.photowct_checkpoint == DEFAULT_PHOTOWCT_CHECKPOINT
    assert config.inputs.masks is not None and config.inputs.instances is not None
    masks, instances = list_images(config.inputs.masks), list_images(config.inputs.instances)
    assert len(masks.images) >= 12
    assert set(masks.images) == set(instances.images)


def test_other_label_maps_do_not_get_the_instances_of_the_shipped_ones() -> None:
    assert demo_config(masks="m").inputs.instances is None
    assert demo_config(masks="m", instances="i").inputs.instances == "i"
    assert demo_config(instances="i").inputs.instances == "i"


def test_a_single_style_is_enough(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "mine.jpg")
    assert demo_config(styles=str(tmp_path / "mine.jpg")).styles.styles_per_mask == 1


def test_no_styles_at_all(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        demo_config(styles=str(tmp_path / "none"))
    output = tmp_path / "out"
    assert command("demo", f"--styles={tmp_path / 'none'}", f"--output={output}") == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    assert not output.exists()


@pytest.mark.parametrize("arguments", [["--bogus"], ["extra"], ["--output"]])
def test_wrong_flags(command: Command, arguments: Sequence[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        command("demo", *arguments)
    assert exit.value.code == 2


def test_it_makes_a_set_with_contact_sheet_and_report_once(
    cluster: None,
    command: Command,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = "spadepis.pipeline.config.models"
    monkeypatch.setattr(f"{config}.DEFAULT_SPADE_CHECKPOINT", spade_checkpoint)
    monkeypatch.setattr(f"{config}.DEFAULT_PHOTOWCT_CHECKPOINT", photowct_checkpoint)
    monkeypatch.setattr("spadepis.demo.run.INPUTS", tmp_path)
    for folder, count in (("masks", 2), ("instances", 2), ("styles", 3)):
        (tmp_path / folder).mkdir()
        for path in list(list_images(str(INPUTS / folder)).images.values())[:count]:
            shutil.copy(path, tmp_path / folder)
    output = tmp_path / "out"
    with caplog.at_level("INFO"):
        assert command("demo", f"--output={output}") == 0
    files = [output / "report.html", output / "contact_sheet.jpg"]
    printed = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split()[-1] for line in printed] == list(map(str, files))
    assert "nothing to do" not in caplog.text
    assert len(ImageSet(str(output))) == 6
    assert not (output / "_staging").exists()
    with Image.open(output / "contact_sheet.jpg") as sheet:
        assert sheet.format == "JPEG"
    assert (output / "report.html").read_text().count('loading="lazy"') == 6

    with caplog.at_level("INFO"):
        assert command("demo", f"--output={output}") == 0
    assert "nothing to do: all 6 pairs" in caplog.text
    assert capsys.readouterr().out.splitlines()[-2:] == printed

    style = next(iter((tmp_path / "styles").iterdir()))
    assert command("demo", f"--output={output}", f"--styles={style}") == 2
    message = capsys.readouterr().err
    assert "was made with another configuration: the list of style photos was 3" in message
    assert message.endswith("Give another --output, or remove that folder\n")
