"""Random numbers of a step depend on all of the seed and on the step."""

import torch

from spadepis.training.seeding import random_of_step


def test_no_two_seeds_or_steps_share_random_numbers() -> None:
    places = [(seed, step) for seed in (0, 1, 2, 2**31 - 1) for step in (0, 1, 2, 2**31)]
    drawn = {float(torch.rand((), generator=random_of_step(*place))) for place in places}
    assert len(drawn) == len(places)


def test_a_step_has_the_same_random_numbers_again() -> None:
    again = [torch.rand(3, generator=random_of_step(3, 5)) for _ in range(2)]
    assert torch.equal(*again)
