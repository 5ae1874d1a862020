"""The figures that results get, and rejecting and replacing by them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from spadepis import ImageSet
from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT
from spadepis.cli.main import run_job
from spadepis.dataset.image_set.commit_log import read_log
from spadepis.dataset.image_set.commits import rejected
from spadepis.dataset.storage.folder import Folder
from spadepis.pipeline.config.job import Job
from spadepis.pipeline.scene import Scene, Style
from spadepis.pipeline.stages.assess import Assess
from spadepis.pipeline.stages.assess_batches import AssessBatches
from spadepis.quality.appearance import sharpness
from spadepis.quality.metrics import METRICS
from spadepis.quality.structure import boundary_disagreement, edge_similarity
from spadepis.quality.thresholds import Threshold, parse_thresholds

Photo = NDArray[np.uint8]


def smooth_noise(seed: int, low: int = 0, high: int = 256) -> Photo:
    noise = np.random.default_rng(seed).integers(low, high, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((96, 64), Image.Resampling.BICUBIC))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A photo with three results: the style itself, the photo itself, and the photo blurred."""
    content, style = smooth_noise(0), smooth_noise(1, 100, 140)
    Image.fromarray(style).save(tmp_path / "style.png")
    return Scene(
        "m",
        [Style(id, str(tmp_path / "style.png")) for id in ("style", "content", "blurred")],
        photo_source="m.png",
        label_map=(smooth_noise(0)[..., 0] > 128).astype(np.uint8),
        content=content,
        results=[style, content, gaussian_filter(content, (4, 4, 0))],
    )


def assess(scene: Scene, thresholds: Sequence[Threshold] = ()) -> Scene:
    stage = Assess(DEFAULT_PHOTOWCT_CHECKPOINT, 10**6, thresholds)
    (assessed,) = stage([scene.copy()])
    return assessed


def test_figures_tell_results_apart(scene: Scene) -> None:
    as_style, as_content, blurred = assess(scene).quality
    assert set(as_style) == set(METRICS)
    assert as_style["lab_distance"] == pytest.approx(0, abs=1e-3)
    assert as_style["feature_distance"] == pytest.approx(0, abs=1e-3)
    assert as_content["structure"] == pytest.approx(1)
    for name in ("lab_distance", "feature_distance"):
        assert (as_content[name] or 0) > (as_style[name] or 0) + 0.05
    assert (blurred["sharpness"] or 0) < (as_content["sharpness"] or 0)
    assert scene.content is not None and scene.label_map is not None
    assert blurred["structure"] == pytest.approx(edge_similarity(scene.content, scene.results[2]))
    assert blurred["sharpness"] == pytest.approx(sharpness(scene.results[2]))
    assert as_content["boundary_disagreement"] == pytest.approx(
        boundary_disagreement(scene.label_map, scene.content)
    )


def test_batches_have_the_same_metrics_within_a_tolerance(scene: Scene, tmp_path: Path) -> None:
    other = scene.copy()
    other.id, other.styles = "gone", [*scene.styles[:2], Style("gone", "gone.png")]
    arguments = (DEFAULT_PHOTOWCT_CHECKPOINT, 10**6, parse_thresholds("structure<0.5"))
    expected = Assess(*arguments)([scene.copy(), other.copy()])
    found = AssessBatches(*arguments, device="cpu")([scene.copy(), other.copy()])
    for one, another in zip(found, expected, strict=True):
        assert (one.id, one.styles) == (another.id, another.styles)
        assert [each.error for each in one.failures] == [each.error for each in another.failures]
        for metrics, expected_metrics in zip(one.quality, another.quality, strict=True):
            assert list(metrics) == list(METRICS)
            for name, value in expected_metrics.items():
                tolerance = {"boundary_disagreement": 2e-3, "lab_distance": 0.05}.get(name, 2e-3)
                assert metrics[name] == pytest.approx(value, rel=2e-3, abs=tolerance), name


def test_results_beyond_a_threshold_are_rejected_with_the_figure(scene: Scene) -> None:
    assessed = assess(scene, parse_thresholds("structure<0.9, lab_distance>1000"))
    assert [style.id for style in assessed.styles] == ["content"]
    np.testing.assert_array_equal(assessed.results, [scene.content])
    assert len(assessed.quality) == 1
    assert [failure.style.id for failure in assessed.failures] == ["style", "blurred"]
    for failure in assessed.failures:
        assert (failure.stage, failure.error) == ("assess", "Rejected")
        assert failure.message.startswith("structure 0.")
        assert failure.message.endswith(" < 0.9")


def test_a_picture_that_was_only_synthesized_has_no_style(scene: Scene) -> None:
    scene.styles, scene.results = [Style(None, None)], []
    stage = Assess(None, 10**6)
    (assessed,) = stage([scene.copy()])
    (figures,) = assessed.quality
    assert figures["structure"] is figures["lab_distance"] is figures["feature_distance"] is None
    assert None not in (figures["clipped"], figures["sharpness"], figures["boundary_disagreement"])


def test_a_style_that_is_gone_fails_its_pair(scene: Scene) -> None:
    scene.styles[1] = Style("gone", "gone.png")
    assessed = assess(scene)
    assert [style.id for style in assessed.styles] == ["style", "blurred"]
    assert len(assessed.results) == len(assessed.quality) == 2
    assert [failure.stage for failure in assessed.failures] == ["assess"]
    assert "gone.png" in assessed.failures[0].message


def test_rejected_results_are_replaced_until_enough_are_good(
    cluster: None, make_photos: Callable[..., str], tmp_path: Path
) -> None:
    styles = 4
    flags = [
        f"--photos={make_photos(tmp_path / 'photos', 3, width=48, height=48)}",
        f"--styles={make_photos(tmp_path / 'styles', styles, width=48, height=48)}",
        "--styles-per-mask=2",
    ]
    assert run_job(Job.STYLIZE, [*flags, f"--output={tmp_path / 'all'}"]) == 0
    bound = float(np.median(ImageSet(str(tmp_path / "all")).table["lab_distance"].to_numpy()))

    strict = [f"--output={tmp_path / 'strict'}", f"--reject=lab_distance>{bound}"]
    assert run_job(Job.STYLIZE, [*flags, *strict, "--replace-rejected"]) == 0
    log = read_log(Folder(str(tmp_path / "strict")))
    kept = ImageSet(str(tmp_path / "strict")).table
    assert max(kept["lab_distance"].to_pylist()) <= bound
    rows = pq.read_table(tmp_path / "strict" / "rejected.parquet")
    assert rows.num_rows == len(rejected(log)) == len(log) - len(kept) >= 3
    assert pq.read_table(tmp_path / "strict" / "failures.parquet").num_rows == 0
    tried, good = (table["mask_id"].to_pylist() for table in (log, kept))
    for mask_id in set(tried):
        # Two good ones and no more, or all styles were tried.
        assert good.count(mask_id) == 2 or tried.count(mask_id) == styles > 2 > good.count(mask_id)
