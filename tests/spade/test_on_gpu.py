"""The generator on a pretended GPU: what it computes, and what it makes a GPU do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from spadepis.labels import ADE20K, COCO_STUFF, LabelSpace
from spadepis.spade import SpadeGenerator, noise
from spadepis.spade.noise import gaussian_noise, gaussian_noise_of_layers
from spadepis.spade.spectral_norm import fold_spectral_norm
from tools.pretended_gpu import PretendedGpu

BLOCKS = ["head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3"]
DEDUPLICATED, DENSE = 2.0, -1.0

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def gpu() -> Iterator[PretendedGpu]:
    with PretendedGpu() as gpu:
        yield gpu


def label_maps(space: LabelSpace, *shape: int) -> Tensor:
    random = torch.Generator().manual_seed(0)
    count, height, width = shape
    coarse = torch.randint(space.num_classes, (count, height // 16, width // 16), generator=random)
    return coarse.repeat_interleave(16, 1).repeat_interleave(16, 2).to(torch.uint8)


def noisy_checkpoint(path: Path, weights: dict[str, Tensor]) -> Path:
    """Of a network with noise, which is stronger in some channels than in others."""
    weights = fold_spectral_norm(weights)
    for name in BLOCKS:
        weights[f"{name}.noise_strength"] = torch.rand(len(weights[f"{name}.conv_0.weight"][0]))
    properties = {"padding": "reflect", "label_padding": "replicate"}
    safetensors.torch.save_file(weights, path, properties)
    return path


@torch.no_grad()
@pytest.mark.parametrize("dense_above", [DEDUPLICATED, DENSE, None])
@pytest.mark.parametrize("space", [COCO_STUFF, ADE20K], ids=["with edges", "without"])
def test_equals_the_generator_on_the_cpu(
    space: LabelSpace,
    dense_above: float | None,
    spade_weights: Callable[..., dict[str, Tensor]],
    tmp_path: Path,
) -> None:
    torch.save(spade_weights(space), tmp_path / "net.pth")
    labels = label_maps(space, 2, 64, 96)
    generator = SpadeGenerator.from_checkpoint(tmp_path / "net.pth", space)
    expected = generator(labels)
    with PretendedGpu() as gpu:
        on_gpu = SpadeGenerator.from_checkpoint(tmp_path / "net.pth", space, "cuda")
        on_gpu.dense_above = dense_above
        image = on_gpu(labels).cpu()
        # Label maps that are on the GPU already give the same.
        again = on_gpu(labels.to("cuda")).cpu()
    torch.testing.assert_close(image, expected, rtol=0, atol=2e-6)
    assert torch.equal(image, again)
    assert not gpu.counts.wrong_device.total()


@torch.no_grad()
def test_noise_equals_that_of_the_cpu(
    spade_weights: Callable[..., dict[str, Tensor]], tmp_path: Path
) -> None:
    path = noisy_checkpoint(tmp_path / "noisy.safetensors", spade_weights(base_width=3))
    labels, seeds = label_maps(COCO_STUFF, 2, 32, 64), torch.tensor([3, 2**40])
    expected = SpadeGenerator.from_checkpoint(path, COCO_STUFF)(labels, seeds=seeds)
    with PretendedGpu():
        generator = SpadeGenerator.from_checkpoint(path, COCO_STUFF, "cuda")
        image = generator(labels, seeds=seeds).cpu()
    torch.testing.assert_close(image, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("with_triton", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_noise_of_all_layers_is_that_of_each(
    dtype: torch.dtype, with_triton: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if with_triton:
        pytest.importorskip("triton")
        from spadepis.spade import triton_noise

        # The last block is not full.
        monkeypatch.setattr(triton_noise, "BLOCK", 32)
        monkeypatch.setattr(noise, "runs_triton", lambda _: True)
    seeds, sizes = torch.tensor([0, 5, 2**62]), [(2, 3), (4, 6), (4, 6)]
    with PretendedGpu() as gpu:
        layers = gaussian_noise_of_layers(seeds, 4, sizes, torch.device("cuda"), dtype)
        assert gpu.counts.operators["_noise"] == (len(sizes) if with_triton else 0)
        found = [layer.cpu() for layer in layers]
    for layer, (of_layer, size) in enumerate(zip(found, sizes, strict=True)):
        assert torch.equal(of_layer, gaussian_noise(seeds, layer, 4, *size).to(dtype))


@torch.no_grad()
def test_a_batch_keeps_its_limits(
    spade_weights: Callable[..., dict[str, Tensor]], tmp_path: Path, gpu: PretendedGpu
) -> None:
    labels = label_maps(COCO_STUFF, 16, 64, 64)
    torch.save(spade_weights(), tmp_path / "net.pth")
    noisy = noisy_checkpoint(tmp_path / "noisy.safetensors", spade_weights())
    for path, limit in ((tmp_path / "net.pth", 200), (noisy, 270)):
        generator = SpadeGenerator.from_checkpoint(path, COCO_STUFF, "cuda", torch.bfloat16)
        for dense_above in (DEDUPLICATED, DENSE):
            generator.dense_above = dense_above
            generator(labels[:1])
            gpu.restart()
            generator(labels)
            counts = gpu.restart()
            assert 0 < counts.launches.total() <= limit
            for forbidden in (counts.synchronisations, counts.uploads, counts.float64):
                assert not forbidden.total(), forbidden


@torch.no_grad()
def test_changed_weights_are_folded_again(spade_checkpoint: str, gpu: PretendedGpu) -> None:
    labels = label_maps(COCO_STUFF, 1, 32, 32)
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF, "cuda")
    before = generator(labels).cpu()
    for weight in (generator.fc.weight, generator.up_3.norm_0.mlp_beta.bias):
        assert weight is not None
        weight.mul_(2)
        after = generator(labels).cpu()
        assert not torch.equal(after, before)
        before = after
    assert torch.equal(generator(labels).cpu(), before)


@torch.no_grad()
def test_float16_keeps_statistics_in_float32(
    spade_weights: Callable[..., dict[str, Tensor]], tmp_path: Path
) -> None:
    weights = spade_weights()
    key = "up_0.norm_0.param_free_norm.running_var"
    weights[key] = torch.full_like(weights[key], 1e6)
    torch.save(weights, tmp_path / "net.pth")
    labels = label_maps(COCO_STUFF, 1, 32, 32)
    expected = SpadeGenerator.from_checkpoint(tmp_path / "net.pth", COCO_STUFF)(labels)
    with PretendedGpu():
        options = "cuda", torch.float16
        generator = SpadeGenerator.from_checkpoint(tmp_path / "net.pth", COCO_STUFF, *options)
        image = generator(labels).cpu()
    torch.testing.assert_close(image.float(), expected, rtol=0, atol=0.01)


@torch.no_grad()
def test_what_overflows_is_not_a_number(
    spade_weights: Callable[..., dict[str, Tensor]], tmp_path: Path
) -> None:
    weights = fold_spectral_norm(spade_weights())
    weights["conv_img.weight"] *= 1e6
    safetensors.torch.save_file(weights, tmp_path / "net.safetensors")
    labels = label_maps(COCO_STUFF, 1, 32, 32)
    for dtype, finite in ((torch.float16, False), (torch.float32, True)):
        path = tmp_path / "net.safetensors"
        image = SpadeGenerator.from_checkpoint(path, COCO_STUFF, dtype=dtype)(labels)
        assert bool(image.isfinite().all()) is finite
        assert finite or not image.isinf().any()


def test_tf32_is_off_while_photos_are_synthesized(spade_checkpoint: str) -> None:
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)
    backends: Any = torch.backends
    settings = backends.cuda.matmul, backends.cudnn.conv
    seen: list[str] = []
    generator.head_0.register_forward_hook(
        lambda *_: seen.extend(setting.fp32_precision for setting in settings)
    )
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        generator(label_maps(COCO_STUFF, 1, 32, 32))
        assert [setting.fp32_precision for setting in settings] == ["tf32", "tf32"]
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False
    assert seen == ["ieee", "ieee"]
