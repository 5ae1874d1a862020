"""Many photos at once, as on a GPU, give what one photo at a time gives."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from spadepis.photowct import PhotoWCT, StyleStatistics, photowct
from spadepis.photowct.region_tiles import tile_regions
from tools.pretended_gpu import Counts, PretendedGpu

# In float64, of images in [0,1]; the roots differ by a relative 1e-9 at most.
TOLERANCE = 1e-6


def random_image(height: int, width: int, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.rand(3, height, width, dtype=torch.float64, generator=random) ** (1 + seed / 2)


CONTENTS = torch.stack([random_image(40, 36, seed) for seed in (0, 1, 2)])
STYLES = [random_image(36, 36, 3), random_image(32, 48, 4), random_image(36, 36, 5)]


def maps(photos: Sequence[Tensor], shift: int = 0) -> list[Tensor]:
    """Region maps with vertical bands, an unknown corner, and a label that is in few of them."""
    regions = []
    for number, photo in enumerate(photos):
        height, width = photo.shape[1:]
        region_map = (torch.arange(width) * 3 // width).expand(height, width).clone()
        region_map[:8, :8] = -1
        region_map[-10:, : 4 + number] = 7 + (number + shift) % 2
        regions.append(region_map)
    return regions


CONTENT_MAPS, STYLE_MAPS = torch.stack(maps(list(CONTENTS))), maps(STYLES, 1)


@pytest.fixture(scope="module")
def network(photowct_checkpoint: str) -> PhotoWCT:
    return PhotoWCT.from_checkpoint(photowct_checkpoint, dtype=torch.float64)


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("strength", [1.0, 0.4])
@pytest.mark.parametrize("pixels_at_once", [2**22, 40 * 36 * 2])
def test_contents_and_styles_at_once(
    network: PhotoWCT, strength: float, pixels_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    styles = [network.encode_style(style) for style in STYLES]
    chosen = [styles, styles[::-1], styles]
    expected = [
        network.stylize(content, own, strength=strength)
        for content, own in zip(CONTENTS, chosen, strict=True)
    ]
    monkeypatch.setattr(photowct, "PIXELS_AT_ONCE", pixels_at_once)
    stylized = network.stylize_batch(CONTENTS, chosen, strength=strength)
    close(stylized, torch.stack(expected))


@pytest.mark.parametrize("strength", [1.0, 0.4])
@pytest.mark.parametrize("fallback", [False, True])
def test_regions_at_once(network: PhotoWCT, fallback: bool, strength: float) -> None:
    guided = [
        network.encode_style(style, regions)
        for style, regions in zip(STYLES, STYLE_MAPS, strict=True)
    ]
    # A style without region map among others.
    styles = [guided[0], guided[1], network.encode_style(STYLES[2])]
    chosen = [styles, styles[::-1], [guided[2], *guided[:2]]]
    expected = [
        network.stylize(content, own, regions, fallback=fallback, strength=strength)
        for content, own, regions in zip(CONTENTS, chosen, CONTENT_MAPS, strict=True)
    ]
    stylized = network.stylize_batch(
        CONTENTS, chosen, CONTENT_MAPS, fallback=fallback, strength=strength
    )
    close(stylized, torch.stack(expected))


@pytest.mark.parametrize("fallback", [False, True])
def test_regions_that_match_nothing(network: PhotoWCT, fallback: bool) -> None:
    style = network.encode_style(STYLES[0], torch.full((36, 36), 9))
    expected = [
        network.stylize(content, [style], regions, fallback=fallback)
        for content, regions in zip(CONTENTS, CONTENT_MAPS, strict=True)
    ]
    styles = [[style]] * len(CONTENTS)
    stylized = network.stylize_batch(CONTENTS, styles, CONTENT_MAPS, fallback=fallback)
    close(stylized, torch.stack(expected))


@pytest.mark.parametrize("regions", [None, STYLE_MAPS])
def test_styles_at_once(network: PhotoWCT, regions: list[Tensor] | None) -> None:
    expected = [
        network.encode_style(style, None if regions is None else regions[i])
        for i, style in enumerate(STYLES)
    ]
    for ours, one in zip(network.encode_styles(STYLES, regions), expected, strict=True):
        assert ours.areas == one.areas
        assert ours.num_bytes == one.num_bytes
        pairs = [(ours.photo, one.photo)]
        assert list(ours.regions) == list(one.regions)
        pairs += [(ours.regions[label], one.regions[label]) for label in one.regions]
        for levels, expected_levels in pairs:
            assert set(levels) == set(expected_levels)
            for level, statistics in expected_levels.items():
                close(levels[level].mean, statistics.mean)
                close(levels[level].colouring, statistics.colouring)
    assert network.encode_styles([]) == []


@pytest.mark.parametrize("guided", [False, True])
def test_a_gpu_waits_for_nothing(photowct_checkpoint: str, guided: bool) -> None:
    regions = CONTENT_MAPS[0] if guided else None
    style_maps = STYLE_MAPS if guided else None
    on_cpu = PhotoWCT.from_checkpoint(photowct_checkpoint)

    def encode(network: PhotoWCT) -> list[StyleStatistics]:
        return [
            network.encode_style(style.float(), None if style_maps is None else style_maps[i])
            for i, style in enumerate(STYLES)
        ]

    expected = on_cpu.stylize(CONTENTS[0].float(), encode(on_cpu), regions)
    with PretendedGpu() as gpu:
        network = PhotoWCT.from_checkpoint(photowct_checkpoint, "cuda")
        content, photos = CONTENTS[0].float().to("cuda"), [s.float().to("cuda") for s in STYLES]
        gpu.restart()
        styles = network.encode_styles(photos, style_maps)
        stylized = network.stylize(content, styles, regions)
        _assert_no_waiting(gpu.restart())
        torch.testing.assert_close(stylized.cpu(), expected, rtol=1e-3, atol=1e-3)


def test_tf32_is_off_in_between_and_set_again_after(network: PhotoWCT) -> None:
    backends: Any = torch.backends
    before = backends.cudnn.conv.fp32_precision
    backends.cudnn.conv.fp32_precision = "tf32"
    seen = []
    hook = network.encoder(4).register_forward_hook(
        lambda *_: seen.append(backends.cudnn.conv.fp32_precision)
    )
    try:
        styles = network.encode_styles(STYLES[:1])
        network.stylize(CONTENTS[0], styles)
        network.stylize_batch(CONTENTS[:1], [styles])
        assert backends.cudnn.conv.fp32_precision == "tf32"
    finally:
        backends.cudnn.conv.fp32_precision = before
        hook.remove()
    assert seen == ["ieee", "ieee"]


def _assert_no_waiting(counts: Counts) -> None:
    for counter in (counts.synchronisations, counts.uploads, counts.float64, counts.wrong_device):
        assert not +counter


def test_tiles_hold_every_pixel_once() -> None:
    random = torch.Generator().manual_seed(0)
    groups = torch.randint(0, 3, (2, 200), generator=random).numpy()
    groups[1][groups[1] == 1] = 0
    tiles = tile_regions(groups, 3, torch.device("cpu"), torch.float64)
    assert tiles.sizes.sum(1).tolist() == [200, 200]
    assert tiles.inside.sum(1).tolist() == [200, 200]
    for i, group in enumerate(groups):
        assert torch.equal(tiles.pixels[i][tiles.places[i]], torch.arange(200))
        members = tiles.groups[i].argmax(0).repeat_interleave(64)
        assert members[tiles.places[i]].tolist() == group.tolist()
