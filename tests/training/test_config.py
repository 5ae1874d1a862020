"""The settings of trainings, as they are given on the command line."""

import pytest

from spadepis.configuration import Configuration, ConfigurationError, parse_settings
from spadepis.training.config import TrainPhotoWCTConfig, TrainSpadeConfig


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        (TrainPhotoWCTConfig, ("--widths", "6,6,8"), "--widths: give more values"),
        (TrainPhotoWCTConfig, ("--widths", "6,6,8,8,9"), "--widths: give 4 values"),
        (TrainPhotoWCTConfig, ("--output", "s3://a/b"), "--output s3://a/b: give a path on this"),
        (TrainPhotoWCTConfig, ("--output", ""), "--output: it is empty"),
        (TrainPhotoWCTConfig, ("--device", "foo"), "--device foo: PyTorch cannot use it here"),
        (TrainSpadeConfig, ("--pack", "9", "--average", "a,b"), "--pack and --average are two"),
    ],
)
def test_settings_that_cannot_be_used_are_named(
    settings: type[Configuration], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_settings(settings, ("--output", "out", *arguments))
    assert str(caught.value).startswith(message)
