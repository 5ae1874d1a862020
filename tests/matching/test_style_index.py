"""Styles by what is in them: the most similar first, and no near-duplicates if so wished."""

import numpy as np
import pytest

from spadepis.matching.descriptors import class_shares
from spadepis.matching.style_index import StyleIndex

SEA, BEACH, TOWN, TWIN = "sea", "beach", "town", "sea-again"
SHARES = {
    SEA: [0.6, 0.4, 0.0, 0.0],
    BEACH: [0.3, 0.3, 0.4, 0.0],
    TOWN: [0.1, 0.0, 0.0, 0.9],
    TWIN: [0.6, 0.4, 0.0, 0.0],
}
SCENE = np.array([0.5, 0.4, 0.1, 0.0], np.float32)


@pytest.fixture
def by_classes() -> StyleIndex:
    return StyleIndex(list(SHARES), np.array(list(SHARES.values()), np.float32), are_shares=True)


def test_shares_leave_out_what_is_unknown() -> None:
    label_map = np.array([[0, 0, 2], [2, 2, -1]])
    np.testing.assert_allclose(class_shares(label_map, 4), [0.4, 0, 0.6, 0])
    assert class_shares(np.full((2, 2), -1), 4).sum() == 0


def test_the_most_similar_come_first(by_classes: StyleIndex) -> None:
    assert by_classes.choose(SCENE, 3, diversity=0) == [SEA, TWIN, BEACH]
    assert by_classes.choose(SCENE, 9, diversity=0) == [SEA, TWIN, BEACH, TOWN]
    assert by_classes.choose(SCENE, 2, diversity=0, without={SEA}) == [TWIN, BEACH]


def test_diversity_passes_over_near_duplicates(by_classes: StyleIndex) -> None:
    assert by_classes.choose(SCENE, 2, diversity=0.5) == [SEA, BEACH]
    # The scores of the third: twin 0.9 - 1, town 0.1 - 0.1.
    assert by_classes.choose(SCENE, 3, diversity=1) == [SEA, BEACH, TOWN]


@pytest.mark.parametrize("are_shares", [True, False])
@pytest.mark.parametrize("diversity", [0.0, 1.0])
def test_styles_without_a_description_come_last(are_shares: bool, diversity: float) -> None:
    rows = np.array([*SHARES.values(), [np.nan] * 4], np.float32)
    chosen = StyleIndex([*SHARES, "?"], rows, are_shares).choose(SCENE, 5, diversity)
    assert sorted(chosen[:4]) == sorted(SHARES) and chosen[4:] == ["?"]
    # Of none the length of a description is known.
    unknown = StyleIndex(["b", "a"], np.full((2, 1), np.nan, np.float32), are_shares)
    assert unknown.choose(SCENE, 2, diversity) == ["b", "a"]
    assert unknown.choose(SCENE, 2, diversity, without={"b"}) == ["a"]


def test_features_are_compared_in_units_of_their_spread() -> None:
    generator = np.random.default_rng(0)
    # A channel of large values that are nearly all alike must not drown the others.
    features = generator.normal(0, [1, 1, 1, 0.01], (20, 4)).astype(np.float32)
    features[:, 3] += 1000
    index = StyleIndex([str(i) for i in range(20)], features, are_shares=False)
    for i in range(20):
        assert index.choose(features[i], 1, diversity=0) == [str(i)]
    assert len(set(index.choose(features[0], 20, diversity=0.7))) == 20
