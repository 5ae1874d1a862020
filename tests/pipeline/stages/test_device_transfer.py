"""Images that are not finite are told from black and white ones."""

import numpy as np
import pytest
import torch

from spadepis.pipeline.stages.device_transfer import are_finite, on_host, quantize, split_finite
from tools.pretended_gpu import PretendedGpu


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_images_come_with_whether_they_are_finite(dtype: torch.dtype) -> None:
    images = torch.rand(4, 3, 2, 5).to(dtype)
    images[1, 2, 0, 1] = torch.nan
    images[2, 0, 1, 4] = -torch.inf
    levels = quantize(images)
    with PretendedGpu() as gpu:
        on_gpu = images.to("cuda")
        split = split_finite(quantize(on_gpu), are_finite(on_gpu))
        assert gpu.counts.synchronisations.total() == 1
        downloaded = [None if image is None else on_host(image) for image in split]
    assert [image is not None for image in downloaded] == [True, False, False, True]
    for i in (0, 3):
        np.testing.assert_array_equal(downloaded[i], levels[i].numpy())
