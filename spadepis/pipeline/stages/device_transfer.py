"""Images in 8 bits: they travel between stages, to a device and back in this form.

Between the stages of one worker on a GPU they stay there, as tensors uint8 [H,W,3] in the places
of arrays. ``start_download`` brings them back before the scenes leave the worker.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spadepis.pipeline.scene import Scene

Image = NDArray[np.uint8]


def upload(array: NDArray[Any] | Tensor, device: str) -> Tensor:
    """An array on a device, or a tensor that may be there already.

    CUDA copies an array from pinned memory, so that this process need not wait until the GPU has
    done what it was given before.
    """
    if isinstance(array, Tensor):
        return array.to(device)
    copy = torch.tensor(array)
    if torch.device(device).type == "cuda":
        copy = copy.pin_memory()
    return copy.to(device, non_blocking=True)


def upload_batch(images: Sequence[NDArray[Any] | Tensor], device: str) -> Tensor:
    """Images of equal shape as one tensor [N,...] on a device."""
    if any(isinstance(image, Tensor) for image in images):
        return torch.stack([upload(image, device) for image in images])
    return upload(np.stack(images), device)


def upload_contents(scenes: Sequence[Scene], device: str) -> Tensor:
    """The contents of scenes of equal size as one tensor uint8 [N,H,W,3] on a device."""
    return upload_batch([scene.content for scene in scenes if scene.content is not None], device)


def quantize(images: Tensor) -> Tensor:
    """Clip [N,3,H,W] to [0,1] and round to uint8 [N,H,W,3], on the same device."""
    levels = images.float().clamp(0, 1).mul(255).round().byte()
    return levels.permute(0, 2, 3, 1).contiguous()


def split_batch(levels: Tensor) -> list[Image]:
    """The images of a batch uint8 [N,H,W,3]: arrays or, on a GPU, tensors that stay there."""
    if levels.device.type == "cpu":
        return list(levels.numpy())
    return cast(list[Image], list(levels))


def are_finite(images: Tensor) -> Tensor:
    """Whether all values of each image [N,...] are finite, bool [N], on the same device."""
    dimensions = tuple(range(1, images.ndim))
    largest: Tensor = torch.linalg.vector_norm(images, torch.inf, dim=dimensions)
    return largest.isfinite()


def split_finite(levels: Tensor, finite: Tensor) -> list[Image | None]:
    """The images of a batch uint8 [N,H,W,3], as ``split_batch`` has them; None where not finite.

    The host waits for ``finite``, bool [N].
    """
    known = finite.cpu().tolist()
    images = split_batch(levels)
    return [image if good else None for image, good in zip(images, known, strict=True)]


def on_host(image: Image) -> Image:
    """An image as an array, wherever it is."""
    return image.cpu().numpy() if isinstance(image, Tensor) else image


def start_download(scenes: Sequence[Scene]) -> Callable[[], None]:
    """Begin to bring the images of scenes back from a GPU.

    Returns:
        A function that waits for them, and not for what the GPU is given later, and puts them into
        the scenes.
    """
    by_shape: dict[torch.Size, list[Tensor]] = defaultdict(list)
    for image in _images(scenes):
        if isinstance(image, Tensor):
            by_shape[image.shape].append(image)
    # From the GPU into pinned memory, so that this process need not wait.
    copies = [torch.stack(images).to("cpu", non_blocking=True) for images in by_shape.values()]
    copied = _record() if copies and torch.cuda.is_available() else None

    def finish() -> None:
        if copied is not None:
            copied.synchronize()
        arrays: dict[int, Image] = {}
        for images, copy in zip(by_shape.values(), copies, strict=True):
            arrays |= {id(image): array for image, array in zip(images, copy.numpy(), strict=True)}
        for scene in scenes:
            if scene.content is not None:
                scene.content = arrays.get(id(scene.content), scene.content)
            scene.results = [arrays.get(id(result), result) for result in scene.results]

    return finish


def _record() -> torch.cuda.Event:
    """What the GPU has been given so far."""
    event: torch.cuda.Event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record()
    return event


def _images(scenes: Sequence[Scene]) -> Iterator[Image]:
    for scene in scenes:
        if scene.content is not None:
            yield scene.content
        yield from scene.results
