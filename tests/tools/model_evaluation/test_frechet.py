import pytest
import torch
from scipy import linalg

from tools.model_evaluation.frechet import as_vectors, frechet_distance


def test_equals_the_formula_with_a_matrix_square_root() -> None:
    random = torch.Generator().manual_seed(0)
    a = torch.randn(200, 5, generator=random) @ torch.randn(5, 5, generator=random)
    b = 0.5 + torch.randn(300, 5, generator=random)
    covariance_a, covariance_b = torch.cov(a.T.double()), torch.cov(b.T.double())
    root = torch.from_numpy(linalg.sqrtm((covariance_a @ covariance_b).numpy()).real)
    means = (a.double().mean(0) - b.double().mean(0)).square().sum()
    expected = means + (covariance_a + covariance_b - 2 * root).trace()
    assert frechet_distance(a, b) == pytest.approx(float(expected), rel=1e-6)


def test_of_a_shift_is_its_squared_length() -> None:
    vectors = torch.randn(50, 4, generator=torch.Generator().manual_seed(1))
    assert frechet_distance(vectors, vectors) == pytest.approx(0, abs=1e-6)
    shifted = vectors + torch.tensor([3.0, 0, 4.0, 0])
    assert frechet_distance(vectors, shifted) == pytest.approx(25, rel=1e-5)


def test_vectors_are_the_features_at_each_position() -> None:
    features = torch.arange(24.0).view(1, 2, 3, 4)
    vectors = as_vectors(features)
    assert vectors.shape == (12, 2)
    assert vectors[5].tolist() == features[0, :, 1, 1].tolist()
