"""Reading generator checkpoints in every form they come in."""

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from spadepis.checkpoints.errors import CheckpointError
from spadepis.checkpoints.reading import read_state_dict
from spadepis.dataset.storage.credentials import CredentialsError
from spadepis.dataset.storage.filesystems import FilesystemError
from spadepis.labels import ADE20K, COCO_STUFF
from spadepis.spade import SpadeGenerator
from spadepis.spade.spectral_norm import fold_spectral_norm

Weights = dict[str, Tensor]


def test_folding_gives_what_pytorch_computes_with() -> None:
    torch.manual_seed(0)
    layer = nn.utils.spectral_norm(nn.Conv2d(5, 7, 3))
    for _ in range(3):
        layer(torch.randn(1, 5, 8, 8))
    layer.eval()
    x = torch.randn(1, 5, 8, 8)
    published = {f"conv.{key}": value for key, value in layer.state_dict().items()}
    folded = fold_spectral_norm(published)
    assert set(folded) == {"conv.weight", "conv.bias"}
    expected = nn.functional.conv2d(x, folded["conv.weight"], folded["conv.bias"])
    torch.testing.assert_close(layer(x), expected)


def variants(weights: Weights) -> dict[str, Weights]:
    return {
        "prefix": {f"module.{key}": value for key, value in weights.items()},
        "without_v": {k: v for k, v in weights.items() if not k.endswith("weight_v")},
        "folded": fold_spectral_norm(weights),
        "without_counters": {k: v for k, v in weights.items() if "num_batches" not in k},
    }


@pytest.mark.parametrize("variant", ["prefix", "without_v", "folded", "without_counters"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_reads_every_variant_of_a_file(
    variant: str, suffix: str, spade_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    weights = spade_weights()
    torch.save(weights, tmp_path / "plain.pth")
    plain = SpadeGenerator.from_checkpoint(str(tmp_path / "plain.pth"), COCO_STUFF)
    path = tmp_path / f"net.{suffix}"
    if suffix == "pth":
        torch.save(variants(weights)[variant], path)
    else:
        safetensors.torch.save_file(variants(weights)[variant], path)
    generator = SpadeGenerator.from_checkpoint(str(path), COCO_STUFF)
    for key, value in plain.state_dict().items():
        if "num_batches" not in key:
            torch.testing.assert_close(generator.state_dict()[key], value)


def test_reads_a_uri(spade_checkpoint: str) -> None:
    generator = SpadeGenerator.from_checkpoint(f"file://{spade_checkpoint}", COCO_STUFF)
    assert not generator.training


def test_uris_that_cannot_be_used_are_told_without_their_secrets() -> None:
    with pytest.raises(CredentialsError) as caught:
        read_state_dict("s3://key:topsecret@bucket/x.pth")
    assert "topsecret" not in str(caught.value)
    with pytest.raises(FilesystemError, match="foo://b/x.pth cannot be used"):
        read_state_dict("foo://b/x.pth")


def test_names_the_tensor_that_does_not_fit(spade_checkpoint: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        SpadeGenerator.from_checkpoint(spade_checkpoint, ADE20K)
    message = str(caught.value)
    for part in ("fc.weight", "[32, 184, 3, 3]", "[32, 151, 3, 3]", "ade20k", spade_checkpoint):
        assert part in message


def test_weights_are_floating_point_numbers_in_memory(
    spade_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    path, weights = tmp_path / "net.pth", spade_weights()
    kernel = weights["fc.weight"]
    others = [kernel.to(torch.int8), kernel > 0, kernel.to_sparse(), kernel.to(torch.complex64)]
    for other in [*others, torch.empty_like(kernel, device="meta")]:
        torch.save(weights | {"fc.weight": other}, path)
        with pytest.raises(CheckpointError, match="fc.weight does not hold floating-point"):
            SpadeGenerator.from_checkpoint(str(path), COCO_STUFF)


def test_names_missing_and_unknown_tensors(
    spade_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    weights = spade_weights()
    torch.save({k: v for k, v in weights.items() if k != "up_2.conv_1.bias"}, path)
    with pytest.raises(CheckpointError, match="has no up_2.conv_1.bias"):
        SpadeGenerator.from_checkpoint(str(path), COCO_STUFF)
    torch.save(weights | {"up_4.conv_0.bias": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="has up_4.conv_0.bias, unknown"):
        SpadeGenerator.from_checkpoint(str(path), COCO_STUFF)
    torch.save({k: v for k, v in weights.items() if k != "up_2.conv_1.weight_u"}, path)
    with pytest.raises(CheckpointError, match="without up_2.conv_1.weight_u"):
        SpadeGenerator.from_checkpoint(str(path), COCO_STUFF)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", bytes(100)])
def test_refuses_files_that_are_no_checkpoints(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"net.{suffix}"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{path} is not a file of weights: it is cut off"):
        SpadeGenerator.from_checkpoint(str(path), COCO_STUFF)


class Exploit:
    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return print, ("code from a checkpoint was run",)


def test_never_runs_code_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"fc.weight": Exploit()}, tmp_path / "net.pth")
    with pytest.raises(
        CheckpointError, match="not a file of weights: it .* never loaded"
    ) as caught:
        SpadeGenerator.from_checkpoint(str(tmp_path / "net.pth"), COCO_STUFF)
    assert "code from a checkpoint" not in capsys.readouterr().out
    # PyTorch's own message explains how to run that code.
    assert "weights_only" not in str(caught.value) and "option" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_compiled_models_are_not_weights(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), tmp_path / "net.pth")
    with pytest.raises(
        CheckpointError, match="not a file of weights: it .* never loaded"
    ) as caught:
        SpadeGenerator.from_checkpoint(str(tmp_path / "net.pth"), COCO_STUFF)
    assert "weights_only" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be read"):
        SpadeGenerator.from_checkpoint(str(tmp_path / "none.pth"), COCO_STUFF)
