"""``spadepis checkpoints``: what there is, whether it is sound, and what it becomes."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from spadepis.checkpoints.reading import read_state_dict
from spadepis.cli.main import main
from spadepis.labels import ADE20K

Weights = dict[str, Tensor]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command; returns its exit status, output and errors."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["spadepis", "checkpoints", *map(str, arguments)])
        return main(), *capsys.readouterr()

    return run


@pytest.fixture
def released(
    tmp_path: Path, spade_weights: Callable[..., Weights], photowct_weights: Callable[..., Weights]
) -> Path:
    """A folder with two of the published checkpoints."""
    folder = tmp_path / "checkpoints"
    (folder / "ade20k_pretrained").mkdir(parents=True)
    torch.save(spade_weights(ADE20K), folder / "ade20k_pretrained" / "latest_net_G.pth")
    torch.save(photowct_weights(), folder / "photo_wct.pth")
    return folder


def test_says_which_published_checkpoints_there_are(
    run: Callable[..., tuple[int, str, str]], released: Path
) -> None:
    status, text, _ = run(released)
    assert status == 0
    assert f"{released}/coco_pretrained/latest_net_G.pth: not there\n" in text
    assert f"{released}/ade20k_pretrained/latest_net_G.pth: SPADE generator for ade20k\n" in text
    assert f"{released}/photo_wct.pth: PhotoWCT\n" in text


def test_the_good_ones_are_checked_beside_a_bad_one(
    run: Callable[..., tuple[int, str, str]], released: Path
) -> None:
    cityscapes = released / "cityscapes_pretrained" / "latest_net_G.pth"
    cityscapes.parent.mkdir()
    (released / "ade20k_pretrained" / "latest_net_G.pth").rename(cityscapes)
    status, text, errors = run(released)
    assert status == 2
    assert f"{cityscapes}: cannot be used\n" in text and "photo_wct.pth: PhotoWCT" in text
    assert "does not fit the label space cityscapes: fc.weight has shape" in errors


def test_a_file_is_recognized_and_converted(
    run: Callable[..., tuple[int, str, str]], released: Path, tmp_path: Path
) -> None:
    source, output = released / "ade20k_pretrained" / "latest_net_G.pth", tmp_path / "a.safetensors"
    status, text, _ = run(source, "--output", output)
    assert status == 0 and text.count("SPADE generator for ade20k") == 2
    assert set(read_state_dict(str(output))) == set(read_state_dict(str(source)))


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--half"], "--half needs --output"),
        (["x.pth", "--output=x.pth"], "must end in .safetensors"),
        ([".", "--output=x.safetensors"], "are for one file"),
        (["."], "has none of the published checkpoints; docs/checkpoints.md says where"),
        (["absent.pth"], "cannot be read"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    reason: str,
    run: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, errors = run(*arguments)
    assert status == 2
    assert errors.startswith("error: ") and errors.count("\n") == 1 and reason in errors


def test_a_generator_of_an_unknown_label_space_says_what_helps(
    run: Callable[..., tuple[int, str, str]], spade_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    weights = spade_weights()
    weights["fc.weight"] = weights["fc.weight"][:, :7]
    torch.save(weights, tmp_path / "mine.pth")
    status, _, errors = run(tmp_path / "mine.pth")
    assert status == 2
    assert "7 input channels (coco-stuff has 184, " in errors
    assert "--label-space names the YAML file" in errors


def test_flags_for_one_file_need_one(
    run: Callable[..., tuple[int, str, str]], released: Path, tmp_path: Path
) -> None:
    for flags in (["--output", tmp_path / "a.safetensors"], ["--label-space", "none.yaml"]):
        status, _, errors = run(*flags)
        assert status == 2 and "are for one file: name it" in errors
    with pytest.raises(SystemExit, match="2"):
        run(released / "photo_wct.pth", "--output", "s3://bucket/a.safetensors")
