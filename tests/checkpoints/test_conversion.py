"""Checkpoints written as safetensors, and what is said of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from jobs.convert_checkpoint import ConversionConfig, convert_checkpoint
from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT
from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.reading import read_metadata, read_state_dict
from spadepis.checkpoints.writing import halve_matrices, write_weights
from spadepis.configuration import ConfigurationError, parse_settings
from spadepis.labels import COCO_STUFF
from spadepis.spade import SpadeGenerator

Weights = dict[str, Tensor]


def convert(*arguments: str) -> int:
    return convert_checkpoint(parse_settings(ConversionConfig, arguments))


def test_every_tensor_is_kept(
    spade_weights: Callable[..., Weights], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = spade_weights()
    source, output = tmp_path / "latest_net_G.pth", tmp_path / "new" / "spade.safetensors"
    torch.save({f"module.{key}": value for key, value in weights.items()}, source)
    assert convert("--network", "spade", "--checkpoint", str(source), "--output", str(output)) == 0
    # Others may read it, as they may read any new file.
    assert output.stat().st_mode == source.stat().st_mode
    converted = read_state_dict(str(output))
    assert set(converted) == set(weights)
    for key, value in weights.items():
        assert converted[key].dtype == value.dtype and torch.equal(converted[key], value)
    printed = capsys.readouterr().out
    assert "2 channels at the end, 128 inside each SPADE" in printed
    assert "differ by 0 levels of 255 (RMS), 0 at most" in printed
    assert list(output.parent.iterdir()) == [output]


def test_keeps_what_the_metadata_say(tmp_path: Path) -> None:
    generator = SpadeGenerator(COCO_STUFF, 2, 4, padding="reflect", noise=True)
    source, output = tmp_path / "source.safetensors", tmp_path / "output.safetensors"
    safetensors.torch.save_file(generator.state_dict(), source, generator.metadata)
    arguments = "--network", "spade", "--checkpoint", str(source), "--output", str(output)
    assert convert(*arguments) == 0
    assert read_metadata(str(output)) == {"padding": "reflect"}


def test_the_same_weights_are_written_as_the_same_bytes(tmp_path: Path) -> None:
    weights = {"a": torch.ones(3), "b": torch.zeros(2, 2)}
    metadata = {name: f"{name} é" for name in "fedcba"}
    path = tmp_path / "weights.safetensors"
    written = set()
    for _ in range(8):
        write_weights(path, weights, metadata)
        written.add(path.read_bytes())
    assert len(written) == 1
    assert read_metadata(str(path)) == metadata
    assert torch.equal(read_state_dict(str(path))["b"], weights["b"])


def test_halves_matrices_and_says_what_that_changes(
    spade_checkpoint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "spade.safetensors"
    network = "--network", "spade", "--checkpoint", spade_checkpoint
    assert convert(*network, "--output", str(output), "--half") == 0
    for key, value in read_state_dict(str(output)).items():
        assert (value.dtype == torch.float16) == (value.ndim > 1), key
    last = capsys.readouterr().out.splitlines()[-1]
    assert 0 < float(last.split()[4]) < 0.5, last


def test_checks_the_models_that_come_with_spadepis(capsys: pytest.CaptureFixture[str]) -> None:
    spade = DEFAULT_SPADE_CHECKPOINT
    assert convert("--network", "spade", "--checkpoint", spade) == 0
    assert convert("--network", "photowct", "--checkpoint", DEFAULT_PHOTOWCT_CHECKPOINT) == 0
    printed = capsys.readouterr().out
    assert "SPADE generator for coco-stuff" in printed
    assert "32, 48, 64, 128 channels at levels 1 to 4" in printed
    assert "differ" not in printed


def test_refuses_weights_that_make_no_picture(
    photowct_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    weights = photowct_weights()
    weights["d1.conv1_1.bias"][0] = torch.nan
    torch.save(weights, tmp_path / "photo_wct.pth")
    with pytest.raises(CheckpointError, match="not finite"):
        convert("--network", "photowct", "--checkpoint", str(tmp_path / "photo_wct.pth"))


def test_refuses_what_float16_does_not_hold() -> None:
    kept = halve_matrices({"running_var": torch.tensor([1e6])})
    assert kept["running_var"] == 1e6
    with pytest.raises(CheckpointError, match=r"conv\.weight has values"):
        halve_matrices({"conv.weight": torch.full((2, 2), 1e6)})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--network", "spade", "--output", "a.pth"], r"must end in \.safetensors"),
        (["--network", "spade", "--half"], "--half needs --output"),
        (
            ["--network", "photowct", "--label-space", "ade20k"],
            "--label-space is for --network spade",
        ),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        convert("--checkpoint", "weights.pth", *arguments)
    assert "\n" not in str(caught.value)


def test_names_a_label_space_that_does_not_fit(spade_checkpoint: str) -> None:
    with pytest.raises(CheckpointError, match=r"ade20k: fc\.weight"):
        convert("--network", "spade", "--checkpoint", spade_checkpoint, "--label-space", "ade20k")
