"""The pretended GPU computes what the CPU does, and counts what would make a GPU wait."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from spadepis.labels import COCO_STUFF
from spadepis.spade import SpadeGenerator
from tools.pretended_gpu import Counts, PretendedGpu

KINDS = ("launches", "synchronisations", "uploads", "float64", "wrong_device")


@pytest.fixture
def gpu() -> Iterator[PretendedGpu]:
    with PretendedGpu() as gpu:
        yield gpu


def totals(counts: Counts) -> dict[str, int]:
    """What was counted at all, by kind."""
    counted = {name: counter.total() for name, counter in vars(counts).items()}
    return {name: total for name, total in counted.items() if total and name in KINDS}


def test_operators_are_launches_and_views_are_not(gpu: PretendedGpu) -> None:
    x = torch.ones(2, 3, device="cuda")
    assert x.is_cuda and x.device.index == 0
    gpu.restart()
    y = (x + 1).mul_(2).T.reshape(-1)[2:].view(2, 2)
    # The sum, the product and the copy of reshape().
    assert totals(gpu.restart()) == {"launches": 3}
    assert y.cpu().tolist() == [[4.0, 4.0], [4.0, 4.0]]
    assert totals(gpu.restart()) == {"launches": 1, "synchronisations": 1}


def test_bytes_are_those_of_operands_and_results(gpu: PretendedGpu) -> None:
    x, y = torch.ones(2, 3, device="cuda"), torch.ones(3, device="cuda").half()
    gpu.restart()
    x + y
    assert gpu.counts.bytes.total() == 6 * 4 + 3 * 2 + 6 * 4


def test_in_place_operators_change_the_tensor_itself(gpu: PretendedGpu) -> None:
    x = torch.zeros(3, device="cuda")
    assert x.add_(1) is x
    x[1:] = 5
    assert x.cpu().tolist() == [1, 5, 5]


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).all()),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.unique(),
        lambda x: torch.linalg.eigh(x[:, None] * x),
        lambda x: x.cpu(),
    ],
)
def test_what_the_host_waits_for_is_counted(waits: object, gpu: PretendedGpu) -> None:
    x = torch.arange(3.0).to("cuda")
    gpu.restart()
    assert callable(waits)
    waits(x)
    assert gpu.counts.synchronisations.total() == 1


def test_uploads_from_pageable_memory_block(gpu: PretendedGpu) -> None:
    values = torch.arange(3)
    values.pin_memory().to("cuda", non_blocking=True)
    assert gpu.counts.uploads.total() == 0
    values.to("cuda")
    torch.tensor([1.0], device="cuda").copy_(torch.ones(1))
    torch.zeros(4, device="cuda")[values] += 0
    # The last one: indices of the CPU, to read and to write.
    assert gpu.counts.uploads.total() == 1 + 2 + 2


def test_float64_and_wrong_devices_are_counted(gpu: PretendedGpu) -> None:
    x = torch.ones(3, device="cuda")
    gpu.restart()
    x.double() * 2
    assert totals(gpu.restart()) == {"launches": 2, "float64": 2}
    x + torch.ones(3)
    assert totals(gpu.restart()) == {"launches": 1, "wrong_device": 1}
    x + torch.tensor(1.0)  # as PyTorch allows
    assert "wrong_device" not in totals(gpu.restart())


def test_pytorch_is_left_as_it_was() -> None:
    before = torch.tensor, torch.Tensor.pin_memory, torch.cuda._lazy_init
    with PretendedGpu():
        x = torch.ones(2, device="cuda")
    assert before == (torch.tensor, torch.Tensor.pin_memory, torch.cuda._lazy_init)
    assert not torch.__future__.get_overwrite_module_params_on_conversion()
    with pytest.raises(RuntimeError, match="no longer pretended"):
        x + 1


@torch.no_grad()
def test_a_network_gives_what_it_gives_on_the_cpu(spade_checkpoint: str) -> None:
    labels = torch.arange(4).repeat_interleave(16).expand(1, 64, 64)
    expected = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF)(labels)
    with PretendedGpu() as gpu:
        generator = SpadeGenerator.from_checkpoint(spade_checkpoint, COCO_STUFF, "cuda")
        gpu.restart()
        image: Tensor = generator(labels).cpu()
    torch.testing.assert_close(image, expected, atol=1e-5, rtol=0)
    assert any(place.startswith("spade/") for place in gpu.counts.launches)
