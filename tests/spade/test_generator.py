"""The generator against the published outputs, and against a functional form of the paper."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from spadepis.checkpoints.errors import CheckpointError
from spadepis.labels import ADE20K, CITYSCAPES, COCO_STUFF, LabelSpace, instance_edges
from spadepis.spade import SpadeGenerator
from spadepis.spade.noise import gaussian_noise
from spadepis.spade.spectral_norm import fold_spectral_norm
from spadepis.spade.unlabelled_frame import fill_frame

Weights = dict[str, Tensor]

BLOCKS = ["head_0", "G_middle_0", "G_middle_1", "up_0", "up_1", "up_2", "up_3"]


def random_labels(space: LabelSpace, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(
        space.num_classes, (shape[0], shape[1] // 8, shape[2] // 8), generator=generator
    )
    return coarse.repeat_interleave(8, 1).repeat_interleave(8, 2)


def synthesize(
    weights: Weights, semantics: Tensor, padding: str = "constant", label_padding: str = "constant"
) -> Tensor:
    """The generator written out over a folded state dict (Park et al., appendix A).

    Padding is that of the features; noise is of seed 0.
    """

    def convolve(name: str, x: Tensor) -> Tensor:
        weight = weights[f"{name}.weight"]
        of_features = name.endswith(("conv_0", "conv_1", "conv_img", "conv_s"))
        mode = padding if of_features else label_padding
        padded = F.pad(x, [weight.shape[-1] // 2] * 4, mode)
        return F.conv2d(padded, weight, weights.get(f"{name}.bias"))

    def spade(name: str, x: Tensor) -> Tensor:
        rows = torch.arange(x.shape[2]) * semantics.shape[2] // x.shape[2]
        columns = torch.arange(x.shape[3]) * semantics.shape[3] // x.shape[3]
        hidden = convolve(f"{name}.mlp_shared.0", semantics[:, :, rows][:, :, :, columns]).relu()
        mean = weights[f"{name}.param_free_norm.running_mean"][:, None, None]
        variance = weights[f"{name}.param_free_norm.running_var"][:, None, None]
        gamma, beta = (convolve(f"{name}.mlp_{part}", hidden) for part in ("gamma", "beta"))
        return (x - mean) / (variance + 1e-5).sqrt() * (1 + gamma) + beta

    def block(name: str, x: Tensor) -> Tensor:
        if f"{name}.noise_strength" in weights:
            deviation = weights[f"{name}.norm_0.param_free_norm.running_var"].sqrt()
            strength = (deviation * weights[f"{name}.noise_strength"])[:, None, None]
            seeds = torch.zeros(len(x), dtype=torch.int64)
            noise = gaussian_noise(seeds, BLOCKS.index(name), 4, *x.shape[2:])
            # The widths, multiples of 3, are not divisible by 4.
            x = x + strength * torch.cat([noise] * x.shape[1], dim=1)[:, : x.shape[1]]
        y = convolve(f"{name}.conv_0", F.leaky_relu(spade(f"{name}.norm_0", x), 0.2))
        y = convolve(f"{name}.conv_1", F.leaky_relu(spade(f"{name}.norm_1", y), 0.2))
        if f"{name}.conv_s.weight" in weights:
            x = convolve(f"{name}.conv_s", spade(f"{name}.norm_s", x))
        return x + y

    def double(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    x = block(BLOCKS[0], convolve("fc", semantics[:, :, ::32, ::32]))
    x = block(BLOCKS[2], block(BLOCKS[1], double(x)))
    for name in BLOCKS[3:]:
        x = block(name, double(x))
    return convolve("conv_img", F.leaky_relu(x, 0.2)).tanh()


@pytest.mark.parametrize(
    ("space", "height", "width"),
    [(COCO_STUFF, 64, 64), (ADE20K, 64, 96), (CITYSCAPES, 64, 128)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_equals_the_functional_form(
    space: LabelSpace,
    height: int,
    width: int,
    spade_weights: Callable[..., Weights],
    tmp_path: Path,
) -> None:
    weights = spade_weights(space, base_width=3)
    torch.save(weights, tmp_path / "net.pth")
    generator = SpadeGenerator.from_checkpoint(
        str(tmp_path / "net.pth"), space, dtype=torch.float64
    )
    labels = random_labels(space, 2, height, width)
    semantics = F.one_hot(labels, space.num_classes).permute(0, 3, 1, 2).double()
    edges = None
    if space.has_instance_edges:
        edges = torch.from_numpy(instance_edges((labels // 3).numpy()))
        semantics = torch.cat([semantics, edges[:, None]], dim=1)
    expected = synthesize(
        {k: v.double() for k, v in fold_spectral_norm(weights).items()}, semantics
    )
    # The weights are folded in float64 but kept in the float32 of the file.
    torch.testing.assert_close(generator(labels, edges), expected, rtol=0, atol=1e-9)


def noisy_generator(tmp_path: Path, weights: Weights) -> SpadeGenerator:
    """One with noise and both paddings other than zeros in float64, read from a file."""
    random = torch.Generator().manual_seed(1)
    for name in BLOCKS:
        width = len(weights[f"{name}.norm_0.mlp_gamma.bias"])
        weights[f"{name}.noise_strength"] = torch.rand(width, generator=random)
    path = tmp_path / "noisy.safetensors"
    properties = {"padding": "reflect", "label_padding": "replicate"}
    safetensors.torch.save_file(weights, path, properties)
    return SpadeGenerator.from_checkpoint(path, COCO_STUFF, dtype=torch.float64)


@pytest.mark.parametrize("dense_above", [-1.0, 1.0])
def test_noise_and_padding_equal_the_functional_form(
    dense_above: float, spade_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    weights = fold_spectral_norm(spade_weights(base_width=3))
    generator = noisy_generator(tmp_path, weights)
    generator.dense_above = dense_above
    assert generator.metadata == {"padding": "reflect", "label_padding": "replicate"}
    labels = random_labels(COCO_STUFF, 2, 64, 96)
    edges = torch.zeros(labels.shape, dtype=torch.bool)
    semantics = F.one_hot(labels, COCO_STUFF.num_classes).permute(0, 3, 1, 2)
    semantics = torch.cat([semantics, edges[:, None]], dim=1).double()
    paddings = "reflect", "replicate"
    expected = synthesize({k: v.double() for k, v in weights.items()}, semantics, *paddings)
    torch.testing.assert_close(generator(labels, edges), expected, rtol=0, atol=1e-9)


def test_each_image_depends_on_its_own_seed_alone(
    spade_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    generator = noisy_generator(tmp_path, fold_spectral_norm(spade_weights()))
    labels = random_labels(COCO_STUFF, 1, 32, 64).expand(3, -1, -1)
    images = generator(labels, seeds=torch.tensor([7, 0, 8]))
    assert (images[0] - images[2]).abs().max() > 1e-3
    torch.testing.assert_close(images[1:2], generator(labels[:1]), rtol=0, atol=1e-12)
    alone = generator(labels[:1], seeds=torch.tensor([8]))
    torch.testing.assert_close(images[2:], alone, rtol=0, atol=1e-12)


def test_without_noise_seeds_are_ignored(spade_checkpoint: str) -> None:
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)
    assert generator.metadata == {}
    labels = random_labels(COCO_STUFF, 1, 32, 32)
    assert torch.equal(generator(labels), generator(labels, seeds=torch.tensor([5])))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"padding": "circular"}, "unknown padding, 'circular'"),
        ({"label_padding": "reflect"}, "unknown padding of label maps, 'reflect'"),
        ({"unlabelled_frame": "cut"}, "unlabelled frame to be 'cut'"),
    ],
)
def test_refuses_unknown_properties(metadata: dict[str, str], message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    weights = SpadeGenerator(COCO_STUFF, 2, 4).state_dict()
    safetensors.torch.save_file(weights, path, metadata)
    with pytest.raises(CheckpointError, match=message):
        SpadeGenerator.from_checkpoint(path, COCO_STUFF)


def test_an_unlabelled_frame_is_filled_where_the_checkpoint_says_so(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    weights = SpadeGenerator(COCO_STUFF, 2, 4).state_dict()
    safetensors.torch.save_file(weights, path, {"unlabelled_frame": "filled"})
    filling = SpadeGenerator.from_checkpoint(path, COCO_STUFF)
    assert filling.metadata == {"unlabelled_frame": "filled"}
    labels = torch.full((1, 128, 192), COCO_STUFF.names.index("grass"))
    labels[:, :, 96:] = COCO_STUFF.names.index("sand")
    framed = with_frame(labels, 2)
    edges = torch.from_numpy(instance_edges(labels.numpy()))
    expected = filling(labels, edges)
    assert torch.equal(filling(framed), expected)
    assert not torch.equal(filling(with_frame(labels, 3)), expected)
    weights = {key: value.clone() for key, value in weights.items()}
    safetensors.torch.save_file(weights, path)
    keeping = SpadeGenerator.from_checkpoint(path, COCO_STUFF)
    assert not torch.equal(keeping(framed), keeping(labels))


def test_the_line_around_a_filled_frame_is_no_edge() -> None:
    labels = random_labels(COCO_STUFF, 2, 128, 192)
    framed = with_frame(labels, 2).numpy()
    filled, edges = fill_frame(framed, instance_edges(framed), COCO_STUFF)
    np.testing.assert_array_equal(filled, labels.numpy())
    assert edges is not None
    inside = (slice(None), slice(3, -3), slice(3, -3))
    np.testing.assert_array_equal(edges[inside], instance_edges(labels.numpy())[inside])
    edges[inside] = False
    assert not edges.any()


def with_frame(labels: Tensor, width: int) -> Tensor:
    framed = torch.full_like(labels, COCO_STUFF.names.index("unknown"))
    inner = (slice(None), slice(width, -width), slice(width, -width))
    framed[inner] = labels[inner]
    return framed


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("threads", [1, 2], ids=["by Winograd's method", "directly"])
def test_reproduces_the_published_network(
    shared: Path, golden_weights: Callable[[str], Weights], tmp_path: Path, threads: int
) -> None:
    torch.set_num_threads(threads)
    torch.save(golden_weights("spade_coco_dev"), tmp_path / "latest_net_G.pth")
    generator = SpadeGenerator.from_checkpoint(tmp_path / "latest_net_G.pth", COCO_STUFF)
    maps = [
        np.asarray(
            Image.open(shared / "data/coco_stuff" / kind / "000000000139.png").resize(
                (256, 256), Image.Resampling.NEAREST
            )
        )
        for kind in ("val_label", "val_inst")
    ]
    photo = generator(
        torch.from_numpy(COCO_STUFF.decode(maps[0]))[None],
        torch.from_numpy(instance_edges(maps[1]))[None],
    )
    expected = np.load(shared / "golden/spade_coco_dev.npz")["outputs"]
    assert np.abs(photo.numpy() - expected).max() < 1e-4


def test_without_edges_the_class_borders_serve(spade_checkpoint: str) -> None:
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)
    labels = random_labels(COCO_STUFF, 1, 32, 64)
    borders = torch.from_numpy(instance_edges(labels.numpy()))
    assert torch.equal(generator(labels), generator(labels, borders))
    assert not torch.equal(generator(labels), generator(labels, torch.zeros_like(borders)))


def test_batch_equals_one_by_one(spade_checkpoint: str) -> None:
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF, dtype=torch.float64)
    labels = random_labels(COCO_STUFF, 3, 32, 32)
    singly = torch.cat([generator(labels[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(generator(labels), singly, rtol=0, atol=1e-12)


def test_refuses_what_it_cannot_synthesize(
    spade_checkpoint: str, spade_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)
    with pytest.raises(ValueError, match="divisible by 32"):
        generator(torch.zeros(1, 32, 40, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"0..183 are outside coco-stuff \(0..182\)"):
        generator(torch.full((1, 32, 32), 183).index_fill(2, torch.tensor([0]), 0))
    with pytest.raises(ValueError, match="edges .* do not match"):
        generator(torch.zeros(1, 32, 32, dtype=torch.int64), torch.zeros(1, 32, 64))
    torch.save(spade_weights(ADE20K), tmp_path / "ade.pth")
    generator = SpadeGenerator.from_checkpoint(str(tmp_path / "ade.pth"), ADE20K)
    with pytest.raises(ValueError, match="ade20k has no instance edges"):
        generator(torch.zeros(1, 32, 32, dtype=torch.int64), torch.zeros(1, 32, 32))
