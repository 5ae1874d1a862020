"""What is derived from weights follows them."""

import copy
import pickle

import torch

from spadepis.kernels.derived import Derived


def test_is_made_again_after_a_change_only() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        return len(made)

    derived: Derived[int] = Derived()
    weight = torch.zeros(3)
    assert [derived.get("a", [weight], make) for _ in range(2)] == [1, 1]
    weight.add_(1)
    assert [derived.get("a", [weight], make) for _ in range(2)] == [2, 2]
    assert derived.get("b", [weight], make) == 3
    assert derived.get("b", [weight.clone()], make) == 4
    weight.data = torch.ones(3)
    assert [derived.get("b", [weight], make) for _ in range(2)] == [5, 5]
    with torch.inference_mode():
        weight = torch.zeros(3)
    assert [derived.get("b", [weight], make) for _ in range(2)] == [6, 6]


def test_copies_are_empty() -> None:
    derived: Derived[int] = Derived()
    assert derived.get(0, [], lambda: 1) == 1
    for other in (copy.deepcopy(derived), pickle.loads(pickle.dumps(derived))):
        assert other.get(0, [], lambda: 2) == 2
