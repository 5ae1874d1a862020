"""Batches of random crops, read by other processes while a GPU works on the one before."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from spadepis.training.crops import crop_pairs
from spadepis.training.recolouring import Recolouring
from spadepis.training.seeding import random_of_step
from spadepis.training.sources import draw
from spadepis.training.training_pairs import TrainingPairs

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        photos: [N,3,H,W] in [0,1].
        labels: class indices, uint8 [N,H,W].
        seeds: seed of the noise of each picture, int64 [N].
        recolouring: change of colour of each picture, photo and generated alike.
    """

    photos: Tensor
    labels: Tensor
    seeds: Tensor
    recolouring: Recolouring


class Batches(Dataset[Result]):
    """Random batches, each with random numbers of its own, in whatever process it is drawn.

    Args:
        pairs: what to draw from.
        size: crops in a batch.
        crop: side of the crops in pixels.
        seed: seed of the run.
        steps: number of each batch. Those of one seed and step are equal.
        use: what is made of each batch, in the process that draws it.
    """

    def __init__(
        self,
        pairs: TrainingPairs,
        size: int,
        crop: int,
        seed: int,
        steps: Sequence[int],
        use: Callable[[Batch], Result],
    ) -> None:
        self.pairs = pairs
        self.size = size
        self.crop = crop
        self.seed = seed
        self.steps = steps
        self.use = use

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, number: int) -> Result:
        random = random_of_step(self.seed, self.steps[number])
        drawn = [pair.read() for pair in draw(self.pairs.sources, self.size, random)]
        photos, cropped = crop_pairs(drawn, self.crop, random)
        relabel = self.pairs.borrowing.relabel
        labels = torch.stack([relabel(label_map, random) for label_map in cropped]).byte()
        seeds = torch.randint(2**62, (self.size,), generator=random)
        return self.use(Batch(photos, labels, seeds, Recolouring.draw(self.size, random)))


def read_ahead(batches: Batches[Result], processes: int) -> Iterable[Result]:
    """All batches in order, read by so many processes; by this one, when asked for, if 0."""
    # They inherit networks whose weights on a GPU they do not touch.
    context = "fork" if processes else None
    return DataLoader(
        batches,
        batch_size=None,
        num_workers=processes,
        multiprocessing_context=context,
        worker_init_fn=_leave_termination_to_the_parent,
    )


def _leave_termination_to_the_parent(_: int) -> None:
    """Ignore SIGTERM, which schedulers send to all processes of a job.

    The parent, which has got it too, asks this process to end.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def one_ahead(
    compute: Callable[[Item], Result], items: Iterable[Item]
) -> Generator[Result, None, None]:
    """``map``, but each result is computed on another thread while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        waiting = None
        for item in items:
            computed = thread.submit(compute, item)
            if waiting is not None:
                yield waiting.result()
            waiting = computed
        if waiting is not None:
            yield waiting.result()
