"""PhotoWCT against the published outputs, and against whitening and colouring by SVD."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT
from spadepis.checkpoints.errors import CheckpointError
from spadepis.photowct import PhotoTooSmallError, PhotoWCT
from spadepis.photowct.network import LEVELS, Decoder, Encoder
from spadepis.smoothing import smooth
from tools.benchmark.measuring import count_macs

Weights = dict[str, Tensor]


def random_image(height: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, height, width, dtype=torch.float64, generator=generator)


@pytest.fixture(scope="module")
def network(photowct_checkpoint: str) -> PhotoWCT:
    return PhotoWCT.from_checkpoint(photowct_checkpoint, dtype=torch.float64)


def transfer_by_svd(content: Tensor, style: Tensor) -> Tensor:
    """Whitening and colouring of features [C,n] as Li et al. write it, with SVDs."""
    c = content - content.mean(1, keepdim=True)
    s = style - style.mean(1, keepdim=True)
    u, e, _ = torch.linalg.svd(c @ c.T / (c.shape[1] - 1) + torch.eye(len(c), dtype=c.dtype))
    whitened = u @ torch.diag(e**-0.5) @ u.T @ c
    u, e, _ = torch.linalg.svd(s @ s.T / (s.shape[1] - 1))
    kept = e >= 1e-5
    u, e = u[:, kept], e[kept]
    coloured: Tensor = u @ torch.diag(e**0.5) @ u.T @ whitened
    return coloured + style.mean(1, keepdim=True)


def stylize_by_svd(network: PhotoWCT, content: Tensor, style: Tensor) -> Tensor:
    image: Tensor = content[None]
    deepest = network.get_submodule("e4")
    assert isinstance(deepest, Encoder)
    style_features, _ = deepest.forward_levels(style[None])
    for level in (4, 3, 2, 1):
        features, poolings = network.get_submodule(f"e{level}")(image)
        stylized = transfer_by_svd(features[0].flatten(1), style_features[level][0].flatten(1))
        decoder = network.get_submodule(f"d{level}")
        assert isinstance(decoder, Decoder)
        image = decoder.forward(stylized.view_as(features), poolings)
    return image[0]


def test_reproduces_the_published_network(
    shared: Path, golden_weights: Callable[[str], Weights], tmp_path: Path
) -> None:
    torch.save(golden_weights("wct_dev"), tmp_path / "photo_wct.pth")
    network = PhotoWCT.from_checkpoint(tmp_path / "photo_wct.pth", dtype=torch.float64)
    golden = np.load(shared / "golden/wct_dev.npz")

    def image(name: str) -> Tensor:
        return torch.from_numpy(golden[name]).permute(2, 0, 1).double() / 255

    def relative_rms(stylized: Tensor, name: str) -> float:
        expected = golden[name]
        error = stylized[0].permute(1, 2, 0).numpy() - expected
        return float(np.sqrt((error**2).mean() / (expected**2).mean()))

    plain = network.stylize(image("content0"), [network.encode_style(image("style0"))])
    assert relative_rms(plain, "stylized0") < 1e-5
    regions = {name: torch.from_numpy(golden[name]) for name in ("content_seg1", "style_seg1")}
    style = network.encode_style(image("style1"), regions["style_seg1"])
    guided = network.stylize(image("content1"), [style], regions["content_seg1"])
    assert relative_rms(guided, "stylized1") < 1e-5


@pytest.mark.parametrize(("height", "width"), [(64, 48), (37, 61), (16, 16)])
def test_equals_svd_form(network: PhotoWCT, height: int, width: int) -> None:
    content, style = random_image(height, width, 1), random_image(41, 50, 2) ** 2
    expected = stylize_by_svd(network, content, style)
    stylized = network.stylize(content, [network.encode_style(style)])
    assert stylized.shape == (1, 3, height, width)
    torch.testing.assert_close(stylized[0], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("one_thread")
def test_wide_encoders_and_decoders_by_winograd(
    photowct_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    torch.save(photowct_weights(width=64), tmp_path / "photo_wct.pth")
    image = random_image(64, 50)

    def encode_and_decode(dtype: torch.dtype) -> Tensor:
        network = PhotoWCT.from_checkpoint(tmp_path / "photo_wct.pth", dtype=dtype)
        style = network.encode_style(image.to(dtype))
        # At strength 0 nothing is whitened, which would amplify the rounding of either form.
        return network.stylize(image.to(dtype), [style], strength=0)

    exact = encode_and_decode(torch.float64)
    macs = count_macs(lambda: encode_and_decode(torch.float32))
    by_winograd = encode_and_decode(torch.float32)
    torch.set_num_threads(2)
    assert count_macs(lambda: encode_and_decode(torch.float32)) > 1.5 * macs
    assert (by_winograd - exact).square().mean().sqrt() < 1e-3 * exact.square().mean().sqrt()


def test_styles_do_not_affect_each_other(network: PhotoWCT) -> None:
    content = random_image(32, 40)
    styles = [network.encode_style(random_image(30, 30, seed) ** seed) for seed in (1, 2, 3)]
    together = network.stylize(content, styles)
    for style, stylized in zip(styles, together, strict=True):
        assert torch.equal(network.stylize(content, [style])[0], stylized)
    assert not torch.allclose(together[0], together[1])


def test_without_styles_the_result_is_empty(network: PhotoWCT) -> None:
    stylized = network.stylize(random_image(32, 40).float(), [])
    assert stylized.shape == (0, 3, 32, 40)
    assert stylized.dtype == torch.float64


@pytest.mark.parametrize("device", ["cpu:0", torch.device("cpu"), torch.device("cpu", 0)])
def test_any_spelling_of_a_device(device: str | torch.device, photowct_checkpoint: str) -> None:
    image = random_image(32, 40).float()
    stylized = []
    for each in ("cpu", device):
        network = PhotoWCT.from_checkpoint(photowct_checkpoint, each)
        stylized.append(network.stylize(image, [network.encode_style(image**2)]))
    assert torch.equal(*stylized)


def test_reduced_precision_stays_near(photowct_checkpoint: str) -> None:
    reduced = PhotoWCT.from_checkpoint(photowct_checkpoint)
    reduced.reduce_precision(torch.bfloat16)
    dtypes = {name: tensor.dtype for name, tensor in reduced.named_parameters()}
    kept = {name.split(".")[0] for name, dtype in dtypes.items() if dtype == torch.float32}
    assert kept == {"e4", "e3", "d4", "d3", "d2", "d1"}
    assert dtypes["d3.conv1_1.weight"] == torch.float32
    assert dtypes["d3.conv2_1.weight"] == torch.bfloat16


def test_reduced_precision_is_not_seen_after_smoothing() -> None:
    pictures = files("spadepis") / "demo" / "inputs" / "styles"
    content, *photos = (
        np.asarray(Image.open(path).convert("RGB").resize((192, 128)))
        for path in sorted(Path(str(pictures)).iterdir())[:3]
    )
    smoothed = []
    for half in (False, True):
        network = PhotoWCT.from_checkpoint(DEFAULT_PHOTOWCT_CHECKPOINT)
        if half:
            network.reduce_precision(torch.bfloat16)
        tensors = [torch.tensor(image).permute(2, 0, 1) / 255 for image in (content, *photos)]
        styles = [network.encode_style(photo) for photo in tensors[1:]]
        stylized = network.stylize(tensors[0], styles).clamp(0, 1)
        assert stylized.dtype == torch.float32
        smoothed.append(smooth(content, stylized.permute(0, 2, 3, 1).numpy()))
    error = np.sqrt(np.square(smoothed[1] - smoothed[0]).mean(axis=(1, 2, 3)))
    assert (error > 0).all()
    assert error.max() < 1 / 255


def test_one_region_everywhere_is_the_whole(network: PhotoWCT) -> None:
    content, style = random_image(40, 32), random_image(36, 36, 1)
    whole = network.stylize(content, [network.encode_style(style)])
    everywhere = network.encode_style(style, torch.full((36, 36), 5))
    guided = network.stylize(content, [everywhere], torch.full((40, 32), 5))
    torch.testing.assert_close(guided, whole, rtol=0, atol=1e-12)


def test_regions_on_one_side_only_are_global(network: PhotoWCT) -> None:
    content, style = random_image(40, 32), random_image(36, 36, 1)
    whole = network.stylize(content, [network.encode_style(style)])
    halves = torch.arange(36)[:, None].expand(36, 36) // 18
    assert torch.equal(network.stylize(content, [network.encode_style(style, halves)]), whole)
    halves = torch.arange(40)[:, None].expand(40, 32) // 20
    assert torch.equal(network.stylize(content, [network.encode_style(style)], halves), whole)


def test_float32_is_close_to_float64(photowct_checkpoint: str, network: PhotoWCT) -> None:
    single = PhotoWCT.from_checkpoint(photowct_checkpoint)
    content, style = random_image(64, 64), random_image(48, 48, 1)
    expected = network.stylize(content, [network.encode_style(style)])
    stylized = single.stylize(content, [single.encode_style(style)])
    assert stylized.dtype == torch.float32
    torch.testing.assert_close(stylized.double(), expected, rtol=1e-3, atol=1e-3)


def test_refuses_images_that_do_not_fit(network: PhotoWCT) -> None:
    style = network.encode_style(random_image(16, 16))
    with pytest.raises(PhotoTooSmallError, match="content of 64x15 is too small"):
        network.stylize(random_image(15, 64), [style])
    with pytest.raises(PhotoTooSmallError, match="style of 1x1 is too small"):
        network.encode_style(random_image(1, 1))
    with pytest.raises(ValueError, match=r"content must be .* \[3,H,W\], not .* \[32, 32\]"):
        network.stylize(random_image(32, 32)[0], [style])
    with pytest.raises(ValueError, match="must be floating-point .* not torch.uint8"):
        network.encode_style(torch.zeros(3, 32, 32, dtype=torch.uint8))
    with pytest.raises(ValueError, match="region map .* does not match"):
        network.stylize(random_image(32, 32), [style], torch.zeros(32, 31, dtype=torch.int64))


def test_reads_safetensors_and_prefixes(
    photowct_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    weights = photowct_weights(width=3)
    safetensors.torch.save_file(weights, tmp_path / "plain.safetensors")
    torch.save({f"module.{k}": v for k, v in weights.items()}, tmp_path / "prefixed.pth")
    for name in ("plain.safetensors", "prefixed.pth"):
        network = PhotoWCT.from_checkpoint(str(tmp_path / name))
        assert network.state_dict().keys() == weights.keys()
        for key, value in network.state_dict().items():
            assert torch.equal(value, weights[key])


def test_refuses_other_checkpoints(
    spade_checkpoint: str, photowct_weights: Callable[..., Weights], tmp_path: Path
) -> None:
    with pytest.raises(
        CheckpointError, match="not a PhotoWCT network: no kernel e4.conv1_1.weight"
    ):
        PhotoWCT.from_checkpoint(spade_checkpoint)
    weights = photowct_weights() | {"d2.conv1_2.weight": torch.zeros(4, 9, 3, 3)}
    torch.save(weights, tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match=r"d2.conv1_2.weight has shape \[4, 9, 3, 3\]"):
        PhotoWCT.from_checkpoint(str(tmp_path / "bad.pth"))


def test_no_strength_is_the_plain_reconstruction(network: PhotoWCT) -> None:
    content = random_image(40, 32)
    halves = torch.arange(32).expand(40, 32) // 16
    expected = content.double()[None]
    for level in LEVELS:
        features, poolings = network.get_submodule(f"e{level}")(expected)
        expected = network.get_submodule(f"d{level}")(features, poolings)
    plain = network.encode_style(random_image(36, 36, 1))
    guided = network.encode_style(random_image(40, 32, 1), halves)
    for style, regions in ((plain, None), (guided, halves)):
        reconstructed = network.stylize(content, [style], regions, strength=0.0)
        torch.testing.assert_close(reconstructed, expected, rtol=0, atol=1e-10)
        stylized = network.stylize(content, [style], regions)
        assert (stylized - reconstructed).abs().mean() > 0.01
        assert torch.equal(network.stylize(content, [style], regions, strength=1.0), stylized)


def test_strength_leads_from_content_to_style(network: PhotoWCT) -> None:
    content, style = random_image(40, 32), network.encode_style(random_image(36, 36, 1) ** 3)
    images = [network.stylize(content, [style], strength=s) for s in (0.0, 0.25, 0.5, 0.75, 1.0)]
    distances = [float((image - images[-1]).square().mean()) for image in images]
    assert distances == sorted(distances, reverse=True)
    assert len(set(distances)) == 5
    for strength in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"strength of a style is in \[0,1\], not"):
            network.stylize(content, [style], strength=strength)


def test_regions_that_match_nothing_fall_back_to_the_whole(network: PhotoWCT) -> None:
    content, photo = random_image(40, 32), random_image(36, 36, 1)
    halves = torch.arange(32).expand(40, 32) // 16
    whole = network.stylize(content, [network.encode_style(photo)])
    lacking = [torch.full((36, 36), 7), torch.full((36, 36), -1), torch.full((36, 36), 7)]
    lacking[2][0, :10] = 1  # Too small to match.
    for regions in lacking:
        style = network.encode_style(photo, regions)
        assert torch.equal(network.stylize(content, [style], halves, fallback=True), whole)
        published = network.stylize(content, [style], halves)
        reconstructed = network.stylize(content, [style], halves, strength=0.0)
        torch.testing.assert_close(published, reconstructed, rtol=0, atol=1e-10)


def test_unknown_regions_match_nothing(network: PhotoWCT) -> None:
    content, photo = random_image(40, 32), random_image(36, 36, 1)
    style = network.encode_style(photo, torch.full((36, 36), -1))
    assert style.areas == {-1: 36 * 36} and not style.regions
    unknown = torch.full((40, 32), -1)
    whole = network.stylize(content, [network.encode_style(photo)])
    assert torch.equal(network.stylize(content, [style], unknown, fallback=True), whole)


def test_without_regions_to_spare_fallback_is_as_published(network: PhotoWCT) -> None:
    content, photo = random_image(40, 32), random_image(40, 32, 1)
    halves = torch.arange(32).expand(40, 32) // 16
    style = network.encode_style(photo, halves)
    published = network.stylize(content, [style], halves)
    assert torch.equal(network.stylize(content, [style], halves, fallback=True), published)
    assert not torch.allclose(network.stylize(content, [network.encode_style(photo)]), published)


def test_statistics_know_their_size(network: PhotoWCT) -> None:
    photo = random_image(40, 32)
    plain = network.encode_style(photo)
    channels = [statistics.mean.shape[0] for statistics in plain.photo.values()]
    assert plain.num_bytes == sum(8 * c * (c + 1) for c in channels)
    halves = torch.arange(32).expand(40, 32) // 16
    assert network.encode_style(photo, halves).num_bytes == 3 * plain.num_bytes
