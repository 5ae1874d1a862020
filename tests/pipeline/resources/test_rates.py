"""Rates of GPUs: computed from counts and datasheets where none were measured, and said to be."""

import pytest

from spadepis.pipeline.resources import rates
from spadepis.pipeline.resources.rates import (
    CARDS,
    UNKNOWN_CARD,
    WORK,
    Rate,
    card_of,
    cores_of,
    gpu_rate,
)
from spadepis.pipeline.stages.declarations import SMOOTH, STYLIZE, Declaration


@pytest.mark.parametrize("stage", WORK, ids=lambda stage: stage.name)
def test_a_better_card_is_no_slower(stage: Declaration) -> None:
    by_card = [gpu_rate(card, stage).value for card in ("h100", "a100", "l4", "t4")]
    assert by_card[0] >= by_card[1] >= max(by_card[2:]) and min(by_card) > 0
    assert all(cores_of(card, stage) > 1 for card in CARDS)


def test_measured_rates_are_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not gpu_rate("l4", STYLIZE).is_measured
    monkeypatch.setattr(rates, "MEASURED", {("l4", STYLIZE): 123.0})
    assert gpu_rate("l4", STYLIZE) == Rate(123.0, is_measured=True)
    assert not gpu_rate("l4", SMOOTH).is_measured


@pytest.mark.parametrize(
    ("name", "card"),
    [
        ("H100", "h100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("A100-80G", "a100"),
        ("Tesla T4", "t4"),
        ("A10G", UNKNOWN_CARD),
        (None, UNKNOWN_CARD),
    ],
)
def test_cards_are_known_by_the_names_they_are_given(name: str | None, card: str) -> None:
    assert card_of(name) == card
