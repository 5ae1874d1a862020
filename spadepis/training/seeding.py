"""Random numbers of each step, of whatever seed."""

import numpy as np
import torch


def random_of_step(seed: int, step: int) -> torch.Generator:
    """Random numbers that depend on both alone, so that a resumed run sees the same crops.

    A generator of PyTorch on the CPU keeps only the lowest 32 bits of a seed, and sums would give
    the steps of one seed to the next. Hence both are hashed, as NumPy does it.

    Args:
        seed: seed of the run, at least 0.
        step: number of the step, at least 0.
    """
    hashed = np.random.SeedSequence((seed, step)).generate_state(1)
    return torch.Generator().manual_seed(int(hashed[0]))
