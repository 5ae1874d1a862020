"""The network that compares pictures in tests of training."""

from tests.training.conftest import perceptual as perceptual
