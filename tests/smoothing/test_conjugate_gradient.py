import numpy as np
import pytest

from spadepis.smoothing import ConvergenceError
from spadepis.smoothing.bands import to_bands
from spadepis.smoothing.closed_form import _stencil
from spadepis.smoothing.conjugate_gradient import conjugate_gradients

WIDTH = 20


def right_hand_side() -> tuple[np.ndarray, np.ndarray]:
    y = np.random.default_rng(0).random((3, WIDTH * WIDTH))
    return to_bands(y * 1e-4, WIDTH), to_bands(y, WIDTH)


def test_too_few_iterations_are_an_error() -> None:
    stencil = _stencil(np.random.default_rng(1).random((WIDTH, WIDTH, 3)), 0.9999, 1e-7)
    b, x = right_hand_side()
    with pytest.raises(ConvergenceError, match="in 3 iterations"):
        conjugate_gradients(stencil, WIDTH, b, x, 1e-3, 3)


def test_zero_right_hand_side_needs_no_iteration() -> None:
    stencil = _stencil(np.random.default_rng(1).random((WIDTH, WIDTH, 3)), 0.9999, 1e-7)
    b, x = right_hand_side()
    b[:], x[:] = 0, 0
    assert conjugate_gradients(stencil, WIDTH, b, x, 1e-3, 10) == 0
    assert not x.any()


def test_right_hand_sides_do_not_affect_each_other() -> None:
    stencil = _stencil(np.random.default_rng(1).random((WIDTH, WIDTH, 3)), 0.9999, 1e-7)
    b, x = right_hand_side()
    b[1], x[1] = 0, 0
    conjugate_gradients(stencil, WIDTH, b, x, 1e-3, 2000)
    assert np.isfinite(x).all() and not x[1].any()
