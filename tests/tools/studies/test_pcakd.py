from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

from spadepis.training.photos import read_photo
from tools.studies.pcakd.artifacts import (
    AMPLITUDE,
    compressed,
    dither,
    find_artifacts,
    flattest_patch,
    saturated_spots,
    stripe_power,
    stripes_in,
)
from tools.studies.pcakd.network import PcaKd, transfer


@pytest.fixture
def photo() -> Tensor:
    """Noise [3,160,160], but for a flat patch at the left and a saturated spot at the right."""
    noise = torch.rand(3, 160, 160, generator=torch.Generator().manual_seed(0))
    noise[:, 10:86, :70] = 0.5
    noise[:, 96:140, 100:140] = 1
    return noise


@pytest.mark.parametrize("network", ["vgg", "mobilenet"])
def test_pcakd_gives_a_photo_back_when_it_is_its_own_style(network: str, shared: Path) -> None:
    pcakd = PcaKd.from_file(shared / "weights" / f"pcakd_{network}.npz")
    path = min((shared / "data" / "styles").glob("*.jpg"))
    photo = read_photo(path)[:, :256, :256].float() / 255
    returned = pcakd.stylize(photo, photo).clamp(0, 1)
    assert peak_signal_noise_ratio(returned, photo, data_range=1.0) > 33


def test_transfer_gives_features_the_statistics_of_the_style() -> None:
    random = torch.Generator().manual_seed(0)
    # Beside such covariances, the identity counts little.
    content, style = (100 * torch.randn(1, 3, 20, 20, generator=random) for _ in range(2))
    style[:, 0] += 2 * style[:, 1]
    transferred = transfer(content, style)[0].flatten(1)
    expected = torch.cov(style[0].flatten(1))
    assert (torch.cov(transferred) - expected).abs().max() < 1e-3 * expected.abs().max()
    torch.testing.assert_close(transferred.mean(dim=1), style.mean(dim=(0, 2, 3)))


def test_stripes_are_measured_by_direction_and_period(photo: Tensor) -> None:
    patch = flattest_patch(photo)
    assert patch == (slice(16, 80), slice(0, 64))
    for striped, period, vertical in stripes_in(photo):
        inside = striped[:, *patch]
        assert stripe_power(inside, period, vertical) == pytest.approx(AMPLITUDE**2, rel=1e-2)
        assert stripe_power(inside, period, not vertical) < 1e-6 * AMPLITUDE**2


def test_a_photo_without_flat_patch_or_saturated_spot_takes_no_part() -> None:
    noise = torch.rand(3, 160, 160)
    assert flattest_patch(noise) is None and saturated_spots(noise) is None
    artifacts = find_artifacts(lambda content, _: content, [(noise, noise)])
    assert artifacts.gains.shape == artifacts.dither.shape == (0, 2)
    assert artifacts.blockiness.shape == (1, 2)


def test_dither_is_found_in_saturated_spots_only(photo: Tensor) -> None:
    spots = saturated_spots(photo)
    assert spots is not None and int(spots.sum()) == 36 * 32
    assert dither(photo, spots) < 1e-3
    dithered = photo.clone()
    dithered[:, ::2, ::2] -= 0.1
    assert dither(dithered, spots) > 5


def test_a_method_that_changes_nothing_has_no_artifacts(photo: Tensor) -> None:
    artifacts = find_artifacts(lambda content, _: content, [(photo, photo)])
    assert artifacts.gains[:, 0] == pytest.approx(1)
    assert artifacts.dither[:, 0] < 1e-3
    doubled = find_artifacts(lambda content, _: content + (content - 0.5), [(photo, photo)])
    assert doubled.gains[:, 0] == pytest.approx(4, rel=1e-3)


def test_compression_leaves_a_picture_of_its_size(photo: Tensor) -> None:
    assert compressed(photo).shape == photo.shape
    assert not torch.equal(compressed(photo), photo)
