"""Noise that is a function of seed, layer and position."""

import torch

from spadepis.spade.noise import gaussian_noise


def test_is_gaussian_and_white() -> None:
    noise = gaussian_noise(torch.arange(8), 3, 2, 128, 128)
    assert noise.shape == (8, 2, 128, 128)
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.var()) - 1) < 0.01
    # Of a Gaussian 2.3 % lie above two standard deviations.
    assert abs(float((noise > 2).float().mean()) - 0.0228) < 0.003
    power = torch.fft.fft2(noise).abs().square().mean(dim=(0, 1)) / 128**2
    # Every row, column and diagonal of frequencies has its share of the power.
    skewed = torch.stack([row.roll(number) for number, row in enumerate(power)])
    for lines in (power.mean(dim=0), power.mean(dim=1), skewed.mean(dim=0)):
        assert float(lines.min()) > 0.8 and float(lines.max()) < 1.2


def test_seeds_layers_and_maps_are_independent() -> None:
    maps = [
        gaussian_noise(torch.tensor([seed]), layer, 3, 64, 64).flatten(2)[0]
        for seed in (0, 1, 2**32, 2**61 + 1)
        for layer in (0, 1)
    ]
    correlation = torch.corrcoef(torch.cat(maps))
    assert float((correlation - torch.eye(len(correlation))).abs().max()) < 0.08


def test_depends_neither_on_batch_nor_on_size() -> None:
    seeds = torch.tensor([5, 9])
    large = gaussian_noise(seeds, 0, 3, 32, 48)
    assert torch.equal(gaussian_noise(seeds[1:], 0, 2, 16, 32), large[1:, :2, :16, :32])


def test_values_stay_the_same() -> None:
    noise = gaussian_noise(torch.tensor([1]), 2, 1, 2, 2).flatten()
    expected = torch.tensor([-0.3321332, -0.7545479, -0.3448191, 1.4841996])
    torch.testing.assert_close(noise, expected, rtol=0, atol=1e-6)
