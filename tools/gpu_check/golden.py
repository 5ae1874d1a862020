"""The published outputs, recomputed in every precision, and each computation done twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spadepis.dataset.inputs.label_maps import read_label_map, resize_label_map
from spadepis.kernels.triton_driver import runs_triton
from spadepis.labels import COCO_STUFF, instance_edges
from spadepis.photowct import PhotoWCT
from spadepis.smoothing.closed_form import MAX_ITERATIONS, TOLERANCE
from spadepis.smoothing.torch_affinity import smoothing_stencil, sparse_matrix
from spadepis.smoothing.torch_solver import assemble, conjugate_gradients, solve
from spadepis.spade import SpadeGenerator
from tools.benchmark.plain_smoothing import BETA, EPSILON
from tools.gpu_check.config import GpuCheckConfig
from tools.gpu_check.facts import Fact
from tools.random_weights import Weights, random_weights

MAX_PIXELS = 2**26
# Largest difference between images in [-1,1]. The limits below float32 are about twice what a CPU
# gives.
SPADE_LIMITS = {torch.float32: 1e-4, torch.bfloat16: 0.025, torch.float16: 0.005}
# Relative RMS by the precision of the network, and that of the parts that bear less. The limits
# below float64 are about twice what a CPU gives.
PHOTOWCT_LIMITS = {
    (torch.float64, None): 1e-5,
    (torch.float32, None): 0.08,
    (torch.float32, torch.float16): 0.12,
    (torch.float32, torch.bfloat16): 0.25,
}
SMOOTHING_LIMIT = 1 / 255
# A share of distinct neighbourhoods that is never exceeded, and one that always is.
DEDUPLICATED, DENSE = 1.0, -1.0


def check_golden(config: GpuCheckConfig) -> Iterator[Fact]:
    """Compare SPADE, PhotoWCT and smoothing with the published outputs."""
    if config.golden is None:
        yield Fact("published outputs", "not checked: --golden is not given")
        return
    yield from _check_smoothing(config.golden, config.device)
    yield from _check_photowct(config.golden, config.device)
    if config.label_map is not None and config.instance_map is not None:
        yield from _check_spade(config.golden, config)
    else:
        yield Fact("SPADE", "not checked: it needs --label-map and --instance-map")


def rebuild_weights(golden: Mapping[str, Any]) -> Weights:
    """The weights behind a published output: random by a seed, and the buffers in the file."""
    meta = json.loads(str(golden["meta"]))
    weights = random_weights(meta["shapes"], meta["seed"])
    for key in golden:
        if key.startswith("buffer/"):
            weights[key.removeprefix("buffer/")] = torch.from_numpy(golden[key])
    return weights


def _check_spade(folder: Path, config: GpuCheckConfig) -> Iterator[Fact]:
    golden = np.load(folder / "spade_coco_dev.npz")
    expected = torch.from_numpy(golden["outputs"])
    height, width = expected.shape[-2:]
    labels, instances = (
        resize_label_map(read_label_map(str(path), MAX_PIXELS), width, height)
        for path in (config.label_map, config.instance_map)
    )
    inputs = (
        torch.from_numpy(COCO_STUFF.decode(labels)[None]),
        torch.from_numpy(instance_edges(instances)[None]),
    )
    with _checkpoint(rebuild_weights(golden)) as path:
        for dtype, limit in SPADE_LIMITS.items():
            generator = SpadeGenerator.from_checkpoint(path, COCO_STUFF, config.device, dtype)
            for name, share in (("by distinct neighbourhoods", DEDUPLICATED), ("dense", DENSE)):
                generator.dense_above = share
                error = (generator(*inputs).double().cpu() - expected).abs().max()
                yield Fact(f"SPADE, {dtype}, {name}: largest difference", float(error), limit=limit)
            yield _determinism(f"SPADE, {dtype}", partial(generator, *inputs))


def _check_photowct(folder: Path, device: str) -> Iterator[Fact]:
    golden = np.load(folder / "wct_dev.npz")

    def stylize(network: PhotoWCT, number: int) -> Tensor:
        content, style = (
            (torch.from_numpy(golden[f"{name}{number}"]).permute(2, 0, 1) / 255).to(
                next(network.parameters()).dtype
            )
            for name in ("content", "style")
        )
        regions: list[Tensor | None] = [None, None]
        if number == 1:
            regions = [torch.from_numpy(golden[f"{name}_seg1"]) for name in ("content", "style")]
        statistics = network.encode_style(style.to(device), regions[1])
        return network.stylize(content.to(device), [statistics], regions[0])[0]

    with _checkpoint(rebuild_weights(golden)) as path:
        for (dtype, reduced), limit in PHOTOWCT_LIMITS.items():
            network = PhotoWCT.from_checkpoint(path, device, dtype)
            if reduced is not None:
                network.reduce_precision(reduced)
            precision = f"{dtype}" if reduced is None else f"{dtype} with {reduced}"
            for number, kind in enumerate(("whole photos", "by region")):
                image = stylize(network, number).permute(1, 2, 0).double().cpu()
                expected = torch.from_numpy(golden[f"stylized{number}"]).double()
                error = ((image - expected).square().mean() / expected.square().mean()).sqrt()
                yield Fact(
                    f"PhotoWCT, {precision}, {kind}: relative RMS", float(error), limit=limit
                )
            yield _determinism(f"PhotoWCT, {precision}", partial(stylize, network, 0))


def _check_smoothing(folder: Path, device: str) -> Iterator[Fact]:
    golden = np.load(folder / "smooth_dev.npz")
    content = torch.from_numpy(golden["content0"])[None].to(device).double() / 255
    stylized = torch.from_numpy(golden["stylized0"]).to(device).float() / 255
    height, width = stylized.shape[:2]
    y = stylized.permute(2, 0, 1).reshape(1, 3, -1)
    expected = torch.from_numpy(golden["smoothed0"])

    def solve_by_triton() -> Tensor:
        return solve(assemble(content, BETA, EPSILON), width, y * (1 - BETA), y)[0]

    def solve_by_torch() -> Tensor:
        matrix = sparse_matrix(smoothing_stencil(content, BETA, EPSILON), width)
        b, start = (y * (1 - BETA)).mT.contiguous(), y.mT.contiguous()
        return conjugate_gradients(matrix, b, start, TOLERANCE, MAX_ITERATIONS)[0].mT

    solvers = {"PyTorch": solve_by_torch}
    if runs_triton(content.device):
        solvers["Triton"] = solve_by_triton
    for name, compute in solvers.items():
        smoothed = compute().view(3, height, width).permute(1, 2, 0).cpu()
        error = (smoothed - expected).abs().max()
        yield Fact(f"smoothing by {name}: largest difference", float(error), limit=SMOOTHING_LIMIT)
        # Sparse products of cuSPARSE are not deterministic.
        exact = {"limit": 0.0} if name == "Triton" else {}
        yield _determinism(f"smoothing by {name}", compute, **exact)


def _determinism(name: str, compute: Callable[[], Tensor], limit: float | None = None) -> Fact:
    """Whether the same computation gives the same bytes again."""
    first, second = compute(), compute()
    difference = (first.double() - second.double()).abs().max()
    return Fact(f"{name}: difference between two runs", float(difference), limit=limit)


@contextmanager
def _checkpoint(weights: Weights) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pth"
        torch.save(weights, path)
        yield path
