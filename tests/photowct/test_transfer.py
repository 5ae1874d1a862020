"""Whitening, colouring and region rules on bare arrays."""

import numpy as np
import pytest
import torch
from PIL import Image

from spadepis.photowct.regions import matched_labels, region_areas, resize_regions
from spadepis.photowct.style_statistics import (
    FeatureStatistics,
    StyleStatistics,
    feature_statistics,
    find_whitening,
)
from spadepis.photowct.transfer import ContentFeatures


def random_features(channels: int, pixels: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    return mixing @ torch.randn(channels, pixels, generator=generator, dtype=torch.float64) * 30


def transfer(features: torch.Tensor, style: FeatureStatistics) -> torch.Tensor:
    matrix, offset = find_whitening(features).towards(style)
    return matrix @ features + offset[:, None]


def test_coloured_features_have_the_statistics_of_the_style() -> None:
    content, style = random_features(6, 500, 1), random_features(6, 300, 2) + 5
    coloured = transfer(content, feature_statistics(style))
    torch.testing.assert_close(coloured.mean(1), style.mean(1))
    # The identity added before whitening takes a little of each: W C W = I - (C + I)^-1.
    identity = torch.eye(6, dtype=torch.float64)
    kept = identity - torch.linalg.inv(content.cov() + identity)
    colouring = feature_statistics(style).colouring
    torch.testing.assert_close(colouring @ colouring, style.cov())
    torch.testing.assert_close(coloured.cov(), colouring @ kept @ colouring)


def test_whitening_adds_the_identity() -> None:
    content = random_features(5, 200)
    whitening = find_whitening(content)
    torch.testing.assert_close(whitening.mean, content.mean(1))
    covariance = content.cov() + torch.eye(5, dtype=torch.float64)
    product = whitening.matrix @ covariance @ whitening.matrix
    torch.testing.assert_close(product, torch.eye(5, dtype=torch.float64))


def test_small_style_eigenvalues_are_dropped() -> None:
    flat = torch.tensor([[3.0, -3.0, 3.0, -3.0], [1e-3, 1e-3, -1e-3, -1e-3]], dtype=torch.float64)
    colouring = feature_statistics(flat).colouring
    assert colouring[0, 0] == pytest.approx(np.sqrt(12))
    assert colouring[1].abs().max() < 1e-12


@pytest.mark.parametrize(
    ("content", "style", "matched"),
    [
        (11, 11, True),
        (10, 500, False),
        (500, 10, False),
        (1100, 11, False),
        (1099, 11, True),
        (11, 1100, False),
        (11, 1099, True),
        (500, 0, False),
    ],
)
def test_which_labels_match(content: int, style: int, matched: bool) -> None:
    assert matched_labels({7: content}, {7: style} if style else {}) == [7] * matched


def test_regions_shrink_as_pillow_shrinks_them() -> None:
    generator = np.random.default_rng(0)
    regions = generator.integers(0, 255, (90, 120), dtype=np.uint8)
    for height, width in ((45, 60), (22, 30), (11, 15), (13, 17)):
        expected = Image.fromarray(regions).resize((width, height), Image.Resampling.NEAREST)
        resized = resize_regions(torch.from_numpy(regions.astype(np.int64)), height, width)
        assert np.array_equal(resized.numpy(), np.asarray(expected))


def test_labels_without_counterpart_keep_their_features() -> None:
    features = random_features(4, 20 * 20).reshape(1, 4, 20, 20)
    regions = torch.zeros(20, 20, dtype=torch.int64)
    regions[:, 10:] = 300
    style_features = random_features(4, 400, 3)
    statistics = feature_statistics(style_features)
    style = StyleStatistics(
        {2: statistics}, {0: {2: statistics}, 9: {2: statistics}}, {0: 400, 9: 99}
    )
    stylized = ContentFeatures(features, 2, regions).transfer(style)
    assert torch.equal(stylized[..., 10:], features[..., 10:])
    expected = transfer(features[0, :, :, :10].flatten(1), statistics)
    torch.testing.assert_close(stylized[0, :, :, :10].flatten(1), expected)


def test_regions_of_under_two_pixels_at_a_level_are_left_alone() -> None:
    regions = torch.zeros(64, 64, dtype=torch.int64)
    regions[:4, :4] = 1
    assert region_areas(regions) == {0: 64 * 64 - 16, 1: 16}
    features = random_features(3, 64).reshape(1, 3, 8, 8)
    statistics = feature_statistics(random_features(3, 50, 1))
    by_level = {label: {4: statistics} for label in (0, 1)}
    style = StyleStatistics({4: statistics}, by_level, {0: 1000, 1: 100})
    stylized = ContentFeatures(features, 4, regions).transfer(style)
    assert torch.isfinite(stylized).all()


def test_channels_that_are_zero_everywhere_do_no_harm() -> None:
    random = torch.Generator().manual_seed(0)
    alive = torch.rand(40, 256, generator=random) * 30
    features = torch.cat([alive, torch.zeros(88, 256)])[torch.randperm(128, generator=random)]
    for _ in range(20):
        # Freed memory full of NaN shows whether any of it is read.
        freed = [torch.full((size,), torch.nan) for size in (128, 1_000, 16_384, 35_000, 50_000)]
        del freed
        statistics = feature_statistics(features)
        stylized = transfer(features, statistics)
        assert torch.isfinite(statistics.colouring).all()
        torch.testing.assert_close(stylized, features, rtol=0, atol=0.3)


def test_labels_without_counterpart_fall_back_to_the_whole() -> None:
    features = random_features(4, 20 * 20).reshape(1, 4, 20, 20)
    regions = torch.zeros(20, 20, dtype=torch.int64)
    regions[:, 10:] = 300
    whole = feature_statistics(random_features(4, 400, 3))
    zero = feature_statistics(random_features(4, 200, 4))
    style = StyleStatistics({2: whole}, {0: {2: zero}}, {0: 400})
    stylized = ContentFeatures(features, 2, regions, fallback=True).transfer(style)[0]
    everywhere = transfer(features[0].flatten(1), whole).view(4, 20, 20)
    torch.testing.assert_close(stylized[..., 10:], everywhere[..., 10:])
    expected = transfer(features[0, :, :, :10].flatten(1), zero)
    torch.testing.assert_close(stylized[..., :10].flatten(1), expected)


@pytest.mark.parametrize("regions", [None, torch.zeros(20, 20, dtype=torch.int64)])
def test_strength_blends_features(regions: torch.Tensor | None) -> None:
    features = random_features(4, 20 * 20).reshape(1, 4, 20, 20)
    statistics = feature_statistics(random_features(4, 400, 3))
    style = StyleStatistics({2: statistics}, {0: {2: statistics}}, {0: 400})

    def stylized(strength: float) -> torch.Tensor:
        return ContentFeatures(features, 2, regions, strength=strength).transfer(style)

    torch.testing.assert_close(stylized(0.0), features, rtol=0, atol=0)
    assert (stylized(1.0) - features).abs().mean() > 1
    torch.testing.assert_close(stylized(0.3), 0.7 * features + 0.3 * stylized(1.0))


def test_negative_labels_match_nothing() -> None:
    assert matched_labels({-1: 500, 0: 500}, {-1: 500, 0: 500}) == [0]
