"""Random changes of colour in training."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from spadepis.training.recolouring import UNCHANGED, Recolouring


def constants(count: int, saturation: float, contrast: float, shift: float) -> Recolouring:
    of = (count, 1, 1, 1)
    return Recolouring(
        torch.full(of, saturation), torch.full(of, contrast), torch.full((count, 3, 1, 1), shift)
    )


def pictures(count: int) -> Tensor:
    return 2 * torch.rand(count, 3, 8, 8, generator=Generator().manual_seed(1)) - 1


def test_changes_are_drawn_from_the_random_numbers_alone() -> None:
    images = pictures(4)
    first, again, other = (
        Recolouring.draw(4, Generator().manual_seed(seed))(images) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_share_of_pictures_keeps_its_colours() -> None:
    count = 2000
    images = pictures(count)
    changed = Recolouring.draw(count, Generator().manual_seed(0))(images)
    kept = (changed - images).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert abs(kept.float().mean() - UNCHANGED) < 0.04
    assert (changed[~kept] - images[~kept]).abs().mean() > 0.1


def test_each_change_does_what_it_says() -> None:
    images = pictures(2)
    assert torch.allclose(constants(2, 1, 1, 0)(images), images, atol=1e-6)
    grey = constants(2, 0, 1, 0)(images)
    assert torch.allclose(grey[:, 0], grey[:, 2], atol=1e-6)
    assert grey.std() > 0.1
    flat = constants(2, 1, 0.5, 0)(images)
    assert torch.allclose(flat.std(dim=(1, 2, 3)), images.std(dim=(1, 2, 3)) / 2, atol=1e-5)
    assert torch.allclose(flat.mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)), atol=1e-5)
    assert torch.allclose(constants(2, 1, 1, 0.25)(images), images + 0.25, atol=1e-6)


def test_a_photo_and_the_picture_generated_for_it_change_alike() -> None:
    photo, generated = pictures(3), pictures(3).flip(0)
    drawn = Recolouring.draw(3, Generator().manual_seed(5))
    # Of the difference of two pictures only the shift is gone: it is the same in both.
    without_shift = Recolouring(drawn.saturation, drawn.contrast, torch.zeros(3, 3, 1, 1))
    difference = drawn(photo) - drawn(generated)
    assert torch.allclose(difference, without_shift(photo - generated), atol=1e-5)


def test_gradients_pass_through_it() -> None:
    images = pictures(2).requires_grad_()
    torch.autograd.backward(constants(2, 0.5, 0.8, 0.1)(images).square().sum())
    assert images.grad is not None and (images.grad.abs() > 0).float().mean() > 0.99
