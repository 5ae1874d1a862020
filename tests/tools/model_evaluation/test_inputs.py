"""What is measured is what was asked for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spadepis.configuration import ConfigurationError
from spadepis.labels import CITYSCAPES
from spadepis.training.perceptual import PerceptualNetwork
from tools.model_evaluation import evaluation
from tools.model_evaluation.config import EvaluationConfig
from tools.model_evaluation.judge import IGNORED, JUDGED_CLASSES, judged_labels


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"styles": "none"}, "none has no photo"),
        ({"photos": ("styles",)}, "--photos: none is held out of training"),
        ({"pairs": ("styles:none",)}, "no photo in .*styles has a label map in .*none"),
        ({"pseudo_pairs": ("pairs:pairs",)}, "--pseudo-pairs: none is held out of training"),
    ],
)
def test_inputs_that_are_not_there_are_named_first(
    given: dict[str, object],
    message: str,
    perceptual: PerceptualNetwork,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation, "perceptual_network", lambda _: perceptual)
    for folder, name in (("styles", "a.jpg"), ("pairs", "a.jpg"), ("pairs", "a.png")):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("L", (64, 64)).save(tmp_path / folder / name)
    config = EvaluationConfig.model_validate({"data": tmp_path, "styles": "styles", **given})
    with pytest.raises(ConfigurationError, match=message):
        evaluation.evaluate_models(config)


def test_photos_get_no_frame_where_they_are_small(tmp_path: Path) -> None:
    path = tmp_path / "white.png"
    for side in (40, 300):
        Image.fromarray(np.full((side, side + 20, 3), 255, np.uint8)).save(path)
        for size in (64, 256, 320):
            square = evaluation._square(path, size)
            assert square.shape == (3, size, size) and bool((square == 1).all())


def test_other_label_spaces_are_judged_as_far_as_their_names_go() -> None:
    judged = judged_labels(torch.arange(CITYSCAPES.num_classes), CITYSCAPES)
    names = list(JUDGED_CLASSES)
    assert judged[CITYSCAPES.names.index("car")] == names.index("car")
    assert judged[CITYSCAPES.names.index("traffic sign")] == IGNORED
