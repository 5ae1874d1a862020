"""Batches are the same whoever reads them, and are read before they are asked for."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spadepis.labels import COCO_STUFF
from spadepis.spade import SpadeGenerator
from spadepis.spade.semantic_map import SemanticMap
from spadepis.training.batches import Batch, Batches, one_ahead, read_ahead
from spadepis.training.training_pairs import PairFolders, TrainingPairs, read_training_pairs


@pytest.fixture
def pairs(tmp_path: Path) -> TrainingPairs:
    random = np.random.default_rng(0)
    for number in range(6):
        photo = random.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(photo).save(tmp_path / f"{number}.jpg")
        Image.fromarray(photo[..., 0] // 2).save(tmp_path / f"{number}.png")
    return read_training_pairs([PairFolders(tmp_path, tmp_path)], [], COCO_STUFF)


def with_process(batch: Batch) -> tuple[Batch, int]:
    return batch, os.getpid()


def test_other_processes_read_the_same_batches_in_order(pairs: TrainingPairs) -> None:
    batches = Batches(pairs, 2, 32, 0, [5, 3, 8, 5], with_process)
    here = list(read_ahead(batches, 0))
    there = list(read_ahead(batches, 2))
    assert {process for _, process in here} == {os.getpid()}
    assert os.getpid() not in {process for _, process in there}
    for (ours, _), (theirs, _) in zip(here, there, strict=True):
        assert ours.photos.shape == (2, 3, 32, 32) and ours.labels.dtype == torch.uint8
        for name in ("photos", "labels", "seeds"):
            assert torch.equal(getattr(ours, name), getattr(theirs, name)), name
        assert torch.equal(ours.recolouring.shift, theirs.recolouring.shift)
    assert torch.equal(here[0][0].photos, here[3][0].photos)
    assert not torch.equal(here[0][0].photos, here[1][0].photos)


def test_each_seed_draws_other_crops(pairs: TrainingPairs) -> None:
    photos = [Batches(pairs, 2, 32, seed, [5, 6], with_process)[0][0].photos for seed in range(4)]
    assert len({photo.numpy().tobytes() for photo in photos}) == 4


def test_label_maps_come_whole_from_other_processes(pairs: TrainingPairs) -> None:
    generator = SpadeGenerator(COCO_STUFF, 2, 4)

    def prepare(batch: Batch) -> tuple[Batch, SemanticMap]:
        return batch, generator.prepare(batch.labels)

    for batch, semantics in read_ahead(Batches(pairs, 2, 32, 0, range(20), prepare), 1):
        assert torch.equal(batch.labels, semantics.labels)


def test_a_process_that_is_told_to_end_leaves_that_to_its_parent(pairs: TrainingPairs) -> None:
    batches = iter(read_ahead(Batches(pairs, 2, 32, 0, range(8), with_process), 1))
    _, process = next(batches)
    os.kill(process, signal.SIGTERM)
    assert [number for _, number in batches] == [process] * 7
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_one_item_is_computed_ahead() -> None:
    asked = []

    def items() -> Iterator[int]:
        for number in range(4):
            asked.append(number)
            yield number

    squares = one_ahead(lambda number: number**2, items())
    assert next(squares) == 0 and asked == [0, 1]
    assert list(squares) == [1, 4, 9]
    assert list(one_ahead(str, [])) == []


def test_an_error_comes_with_the_item_that_it_belongs_to() -> None:
    inverses = one_ahead(lambda number: 1 / number, [1, 0, 2])
    assert next(inverses) == 1
    with pytest.raises(ZeroDivisionError):
        next(inverses)
