"""Rare classes that borrow pixels from related ones."""

import numpy as np
import pytest
import torch
from torch import Generator

from spadepis.labels import CITYSCAPES, COCO_STUFF, LabelSpace
from spadepis.training.borrowing import LARGEST_LOAN, SMALLEST_LOAN, Borrowing


def index(name: str) -> int:
    return COCO_STUFF.names.index(name)


def plan(shown: dict[str, tuple[int, float]], space: LabelSpace = COCO_STUFF) -> Borrowing:
    """From the number of pictures and the share of pixels of some classes."""
    pictures = np.zeros(space.num_classes, np.int64)
    shares = np.zeros(space.num_classes)
    for name, (count, share) in shown.items():
        pictures[space.names.index(name)] = count
        shares[space.names.index(name)] = share
    return Borrowing.plan(space, pictures, shares)


def test_a_rare_class_borrows_as_many_pixels_as_it_has() -> None:
    borrowing = plan({"sea": (500, 0.1), "river": (5, 0.01), "water-other": (60, 0.02)})
    # No picture shows waterdrops; they borrow a little, so that they look like water.
    expected = {index("river"): 0.1, index("waterdrops"): SMALLEST_LOAN / 0.1}
    assert borrowing.chances == {index("sea"): pytest.approx(expected)}


def test_some_classes_borrow_from_what_they_look_like() -> None:
    shown = {"window-other": (500, 0.1), "curtain": (500, 0.1), "mountain": (500, 0.1)}
    borrowing = plan(shown | {"gravel": (500, 0.1), "dog": (500, 0.1), "grass": (500, 0.1)})
    lenders = {
        COCO_STUFF.names[borrower]: COCO_STUFF.names[lender]
        for lender, loans in borrowing.chances.items()
        for borrower in loans
    }
    assert lenders["window-blind"] == lenders["window"] == "window-other"
    assert lenders["rock"] == lenders["hill"] == "mountain"
    assert lenders["bear"] == lenders["cow"] == "dog"
    assert "curtain" not in lenders.values()


def test_nobody_lends_who_is_rare_too() -> None:
    assert plan({"sea": (99, 0.1), "river": (5, 0.01)}).chances == {}
    # Classes of other groups have nothing to lend.
    assert index("zebra") not in plan({"grass": (500, 0.1), "zebra": (3, 0.01)}).chances


def test_a_class_keeps_half_of_its_pixels() -> None:
    borrowing = plan({"car": (500, 0.004), "bus": (9, 0.016), "train": (9, 0.008)})
    loans = borrowing.chances[index("car")]
    assert sum(loans.values()) == pytest.approx(LARGEST_LOAN)
    assert loans[index("bus")] == pytest.approx(2 * loans[index("train")])


def test_the_shares_afterwards_are_those_of_relabelled_maps() -> None:
    borrowing = plan({"grass": (500, 0.5), "playingfield": (8, 0.2), "sea": (500, 0.3)})
    shares = np.zeros(COCO_STUFF.num_classes)
    shares[[index("grass"), index("playingfield"), index("sea")]] = 0.5, 0.2, 0.3
    label_map = torch.full((10, 10), index("grass"))
    label_map[5:, :4] = index("playingfield")
    label_map[5:, 4:] = index("sea")
    random = Generator().manual_seed(0)
    maps = torch.stack([borrowing.relabel(label_map, random) for _ in range(2000)])
    found = np.bincount(maps.flatten(), minlength=COCO_STUFF.num_classes) / maps.numel()
    assert np.abs(found - borrowing.shares(shares)).max() < 0.02
    assert borrowing.shares(shares).sum() == pytest.approx(1)


def test_a_label_map_is_relabelled_class_by_class() -> None:
    """All grass of a picture keeps its name or gets the same one; other classes stay."""
    borrowing = plan({"grass": (500, 0.1), "playingfield": (8, 0.05)})
    label_map = torch.tensor([[index("grass"), index("tree")], [index("grass"), 182]])
    random = Generator().manual_seed(0)
    seen = {tuple(borrowing.relabel(label_map, random).flatten().tolist()) for _ in range(50)}
    names = {index("grass"), index("playingfield")}
    assert seen == {(name, index("tree"), name, 182) for name in names}
    assert label_map[0, 0] == index("grass")


def test_without_lenders_nothing_changes() -> None:
    label_map = torch.arange(4).view(2, 2)
    borrowing = plan({"road": (10, 0.9)}, CITYSCAPES)
    assert torch.equal(borrowing.relabel(label_map, Generator()), label_map)
