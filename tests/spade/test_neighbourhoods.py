"""Deduplicated modulation against the dense form, and counts of what is computed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from spadepis.labels import ADE20K, COCO_STUFF
from spadepis.spade import SpadeGenerator
from spadepis.spade import normalization as normalization_module
from spadepis.spade.neighbourhoods import find_neighbourhoods
from spadepis.spade.normalization import SpadeNormalization
from spadepis.spade.semantic_map import SemanticMap

CLASSES = 7


def blocks(block: int, shape: tuple[int, int, int], seed: int = 0) -> Tensor:
    """Label maps of random blocks; of single pixels they are noise."""
    generator = torch.Generator().manual_seed(seed)
    n, h, w = shape
    coarse = torch.randint(CLASSES, (n, -(-h // block), -(-w // block)), generator=generator)
    return coarse.repeat_interleave(block, 1).repeat_interleave(block, 2)[:, :h, :w]


def windows(values: Tensor, size: int) -> NDArray[np.int64]:
    """The size x size windows around every pixel, -1 outside, one a row."""
    margin = size // 2
    padded = np.pad(
        values.numpy(), ((0, 0), (margin, margin), (margin, margin)), constant_values=-1
    )
    views = np.lib.stride_tricks.sliding_window_view(padded, (1, size, size))
    return views.reshape(-1, size * size)


@pytest.mark.parametrize("with_edges", [True, False])
@pytest.mark.parametrize(
    ("block", "shape"), [(8, (1, 32, 32)), (3, (2, 20, 28)), (1, (1, 9, 11)), (8, (1, 1, 2))]
)
def test_finds_exactly_the_distinct_neighbourhoods(
    block: int, shape: tuple[int, int, int], with_edges: bool
) -> None:
    labels = blocks(block, shape)
    edges = blocks(5, shape, seed=1) > 3 if with_edges else None
    found = find_neighbourhoods(labels, edges, CLASSES)
    both = labels if edges is None else labels + 100 * edges
    windows_5x5 = windows(both, 5)
    of_maps = windows_5x5.reshape(len(both), -1, 25)
    assert found.rows_5x5 is not None and found.index_5x5 is not None
    assert len(found.rows_5x5) == sum(len(np.unique(of_map, axis=0)) for of_map in of_maps)
    classes_3x3 = found.classes[found.index_3x3.flatten()].numpy()
    assert np.array_equal(np.where(classes_3x3 == CLASSES, -1, classes_3x3), windows(labels, 3))
    # The windows put together from their parts are the windows of the map.
    parts = found.rows_5x5 // 9
    assert ((found.rows_5x5 % 9) == torch.arange(9)).all()
    classes, bits = found.classes[parts], found.edges[parts]
    distinct = torch.where(classes == CLASSES, -1, classes + 100 * bits)
    values = distinct[found.index_5x5.flatten()].numpy()
    for row in range(3):
        for column in range(3):
            expected = windows_5x5.reshape(-1, 5, 5)[:, row : row + 3, column : column + 3]
            part = values[:, 3 * row + column].reshape(-1, 3, 3)
            inside = expected[:, 1, 1] != -1
            assert np.array_equal(part[inside], expected[inside])
            assert (part[~inside][:, 1, 1] == -1).all()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", [(1, 1, 2), (1, 2, 2), (2, 1, 8), (2, 2, 3), (1, 5, 6)])
def test_a_replicated_border_leaves_different_neighbourhoods_apart(
    shape: tuple[int, int, int], seed: int
) -> None:
    """Outside the image stand the 3x3 neighbourhoods of pixels inside: four corners do not do."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, shape, generator=random)
    found = find_neighbourhoods(labels, None, CLASSES, replicate=True)
    assert found.rows_5x5 is not None and found.index_5x5 is not None
    _, height, width = shape
    padded = np.pad(labels.numpy(), ((0, 0), (1, 1), (1, 1)), mode="edge")
    of_pixels = np.lib.stride_tricks.sliding_window_view(padded, (1, 3, 3)).reshape(*shape, 9)
    around = np.pad(of_pixels, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    parts = found.classes[found.rows_5x5[found.index_5x5.long()] // 9].numpy()
    for row in range(3):
        for column in range(3):
            expected = around[:, row : row + height, column : column + width]
            np.testing.assert_array_equal(parts[..., 3 * row + column, :], expected)


def modulate_as_written(
    normalization: SpadeNormalization, features: Tensor, semantics: Tensor
) -> Tensor:
    """Park et al., eq. 1-3, over a one-hot map."""
    hidden = normalization.mlp_shared(semantics)
    scale = 1 + normalization.mlp_gamma(hidden)
    normalized = normalization.param_free_norm(features)
    return F.leaky_relu(normalized * scale + normalization.mlp_beta(hidden), 0.2)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("with_edges", [True, False])
@pytest.mark.parametrize("block", [1, 2, 5, 16])
def test_both_forms_equal_the_paper(block: int, with_edges: bool, training: bool) -> None:
    torch.manual_seed(0)
    normalization = SpadeNormalization(6, CLASSES + with_edges, 12, 0.2).double()
    normalization.train(training)
    normalization.param_free_norm.running_mean = torch.randn(6).double()
    normalization.param_free_norm.running_var = torch.rand(6).double() + 0.5
    labels = blocks(block, (2, 16, 24))
    edges = blocks(3, (2, 16, 24), seed=1) > 3 if with_edges else None
    semantic_map = SemanticMap(labels, edges, CLASSES, torch.float64, torch.device("cpu"), np.inf)
    features = torch.randn(2, 6, 16, 24).double()
    neighbourhoods = semantic_map.neighbourhoods(16)
    expected = modulate_as_written(normalization, features, semantic_map.one_hot(16))
    for form in (normalization.modulate_densely, normalization.modulate_by_neighbourhood):
        torch.testing.assert_close(form(features, neighbourhoods), expected, rtol=0, atol=1e-12)
        with torch.no_grad():
            torch.testing.assert_close(form(features, neighbourhoods), expected, rtol=0, atol=1e-12)


def test_flat_maps_are_deduplicated_and_noise_is_not(
    spade_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms: list[tuple[str, int]] = []
    for name in ("modulate_densely", "modulate_by_neighbourhood"):
        original: Callable[..., Tensor] = getattr(SpadeNormalization, name)

        def recorded(
            self: SpadeNormalization,
            features: Tensor,
            semantics: object,
            name: str = name,
            original: Callable[..., Tensor] = original,
        ) -> Tensor:
            forms.append((name, features.shape[2]))
            return original(self, features, semantics)

        monkeypatch.setattr(SpadeNormalization, name, recorded)
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)
    generator(torch.zeros(1, 128, 128, dtype=torch.int64))
    assert {height for name, height in forms if name == "modulate_by_neighbourhood"} >= {128, 64}
    assert len(forms) == 18
    forms.clear()
    generator(torch.randint(183, (1, 128, 128)))
    assert {name for name, _ in forms} == {"modulate_densely"}


def test_generator_equals_its_dense_form(
    spade_weights: Callable[..., dict[str, Tensor]], tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    torch.save(spade_weights(ADE20K), path)
    generator = SpadeGenerator.from_checkpoint(path, ADE20K)
    labels = blocks(9, (2, 64, 128))
    deduplicated = generator(labels)
    generator.dense_above = -1.0
    torch.testing.assert_close(deduplicated, generator(labels), rtol=0, atol=1e-5)


def test_parts_of_any_size_give_the_same(
    spade_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)
    labels = blocks(9, (1, 64, 64))
    whole = generator(labels)
    monkeypatch.setattr(normalization_module, "GATHERED_ON_CPU", 1)
    assert torch.equal(generator(labels), whole)


def test_real_label_maps_repeat_themselves(shared: Path) -> None:
    shares = []
    for path in sorted(shared.glob("data/coco_stuff/val_label/*.png")):
        raw = np.asarray(Image.open(path).resize((256, 256), Image.Resampling.NEAREST))
        labels = torch.from_numpy(COCO_STUFF.decode(raw)).unsqueeze(0)
        shares.append(find_neighbourhoods(labels, None, COCO_STUFF.num_classes).distinct_share)
    assert np.mean(shares) < 0.05
