"""Results per second of each stage, and what keeps it from more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from statistics import median
from time import perf_counter
from typing import TypeVar

import torch
from torch.profiler import ProfilerActivity, profile

from spadepis.checkpoints.defaults import DEFAULT_PHOTOWCT_CHECKPOINT, DEFAULT_SPADE_CHECKPOINT
from spadepis.labels import COCO_STUFF
from spadepis.photowct import PhotoWCT
from spadepis.pipeline.scene import Scene
from spadepis.pipeline.stages.assess_batches import AssessBatches
from spadepis.spade import SpadeGenerator
from tools.benchmark.assessment import finished_scenes
from tools.benchmark.config import BenchmarkConfig
from tools.benchmark.device import measure_peak
from tools.benchmark.inputs import MAX_PIXELS, read_inputs
from tools.benchmark.measuring import count_macs
from tools.benchmark.networks import random_photowct, random_spade
from tools.benchmark.smoothing import smooth_all, smoothing_work
from tools.benchmark.stylization import as_tensor
from tools.gpu_check.config import GpuCheckConfig
from tools.gpu_check.facts import Fact
from tools.gpu_check.golden import DEDUPLICATED, DENSE

Choice = TypeVar("Choice")

RUNS = 5
SIZES, STYLES, BATCHES = (256, 512), (1, 4, 16), (1, 16)
REDUCED_SIZE = 32
# The shares of distinct neighbourhoods above which SPADE convolves densely.
SHARES = {"distinct neighbourhoods": DEDUPLICATED, "dense": DENSE, "as chosen": None}
# Scenes and styles of a batch of PhotoWCT and of quality metrics.
TOGETHER = ((1, 1), (16, 4))
# Contents and styles of a batch of smoothing.
SMOOTHED = ((1, 1), (1, 4), (16, 4), (1, 16))


@dataclass(frozen=True)
class Work:
    """What a run computes.

    Attributes:
        results: photos or pairs of a run.
        macs: multiply-accumulates of a run.
        dtype: precision of most of them.
        traffic: bytes that a run reads and writes at least, if memory is its bottleneck.
    """

    results: int
    macs: int
    dtype: torch.dtype
    traffic: int | None = None


def check_synthesis(config: GpuCheckConfig) -> Iterator[Fact]:
    """SPADE of label maps whose neighbourhoods are numbered: both forms, and a choice of them."""
    generator = _spade(config)
    for dtype in _precisions(config):
        generator.to(dtype)
        for size, batch in product(_sizes(config), _chosen(config, BATCHES)):
            inputs = read_inputs(BenchmarkConfig(images=batch), size, 1)
            assert inputs.edges is not None
            for name, share in SHARES.items():
                generator.dense_above = share
                semantics = generator.prepare(inputs.labels, inputs.edges)
                synthesize = partial(generator.synthesize, semantics)
                work = Work(batch, count_macs(synthesize), dtype)
                name = f"SPADE, {size}x{size}, batch of {batch}, {dtype}, {name}"
                yield _rate(name, synthesize, work, config)


def check_stylization(config: GpuCheckConfig) -> Iterator[Fact]:
    """PhotoWCT: the statistics of a style, and K styles of a content."""
    for dtype in _precisions(config):
        if dtype == torch.bfloat16:
            continue
        network = _photowct(config)
        if dtype != torch.float32:
            network.reduce_precision(dtype)
        counts = _chosen(config, STYLES)
        for size in _sizes(config):
            most, _ = max(_chosen(config, TOGETHER))
            inputs = read_inputs(BenchmarkConfig(images=most), size, max(counts))
            contents = as_tensor(inputs.contents, config.device)
            photos = as_tensor(inputs.styles, config.device)
            styles = [network.encode_style(photo) for photo in photos]
            runs: dict[str, tuple[int, Callable[[], object]]] = {
                "statistics of a style": (1, partial(network.encode_style, photos[0]))
            }
            for count in counts:
                runs[f"K = {count}"] = (
                    count,
                    partial(network.stylize, contents[0], styles[:count]),
                )
            for scenes, count in _chosen(config, TOGETHER):
                batch = partial(network.stylize_batch, contents[:scenes], [styles[:count]] * scenes)
                runs[f"K = {count}, {scenes} scenes together"] = (scenes * count, batch)
            for name, (results, run) in runs.items():
                work = Work(results, count_macs(run), dtype)
                yield _rate(f"PhotoWCT, {size}x{size}, {name}, {dtype}", run, work, config)


def check_smoothing(config: GpuCheckConfig) -> Iterator[Fact]:
    """Smoothing of N contents in K styles each."""
    for size, (count, styles) in product(_sizes(config), _chosen(config, SMOOTHED)):
        inputs = read_inputs(BenchmarkConfig(images=count), size, styles)
        contents = torch.from_numpy(inputs.contents).to(config.device)
        stylized = torch.from_numpy(inputs.stylized()).to(config.device)
        macs, traffic = smoothing_work(contents, stylized)
        yield _rate(
            f"smoothing, {size}x{size}, N = {count}, K = {styles}",
            partial(smooth_all, contents, stylized),
            Work(count * styles, macs, torch.float32, traffic),
            config,
        )


def check_assessment(config: GpuCheckConfig) -> Iterator[Fact]:
    """The quality metrics of the results of N scenes in K styles each."""
    assess = AssessBatches(DEFAULT_PHOTOWCT_CHECKPOINT, MAX_PIXELS, device=config.device)
    for size, (count, styles) in product(_sizes(config), _chosen(config, TOGETHER)):
        inputs = read_inputs(BenchmarkConfig(images=count), size, styles)
        scenes = finished_scenes(inputs, BenchmarkConfig().photos)

        def run(scenes: Sequence[Scene] = scenes) -> None:
            done = assess([scene.copy() for scene in scenes])
            assert all(len(scene.quality) == len(scene.results) for scene in done)

        work = Work(count * styles, count_macs(run), torch.float32)
        yield _rate(f"quality metrics, {size}x{size}, N = {count}, K = {styles}", run, work, config)


def _spade(config: GpuCheckConfig) -> SpadeGenerator:
    """A generator of the published widths; in the reduced form the small one of spadepis."""
    if not config.is_reduced:
        return random_spade(COCO_STUFF, 0, config.device)
    checkpoint = DEFAULT_SPADE_CHECKPOINT
    return SpadeGenerator.from_checkpoint(checkpoint, COCO_STUFF, config.device)


def _photowct(config: GpuCheckConfig) -> PhotoWCT:
    """A network of the published widths; in the reduced form the small one of spadepis."""
    if not config.is_reduced:
        return random_photowct(0, config.device)
    return PhotoWCT.from_checkpoint(DEFAULT_PHOTOWCT_CHECKPOINT, config.device)


def _sizes(config: GpuCheckConfig) -> Sequence[int]:
    return (REDUCED_SIZE,) if config.is_reduced else SIZES


def _chosen(config: GpuCheckConfig, choices: Sequence[Choice]) -> Sequence[Choice]:
    """All choices, or the first one in the reduced form."""
    return choices[:1] if config.is_reduced else choices


def _precisions(config: GpuCheckConfig) -> tuple[torch.dtype, ...]:
    if config.is_reduced:
        return (torch.float32,)
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16, torch.float16, torch.float32
    return torch.float16, torch.float32


_peak = cache(measure_peak)


def _rate(name: str, run: Callable[[], object], work: Work, config: GpuCheckConfig) -> Fact:
    """Time a run after a first one, and look at what the GPU did in another one."""
    on_gpu = config.device == "cuda"
    run()
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    seconds = median(_seconds(run, on_gpu) for _ in range(1 if config.is_reduced else RUNS))
    peak = _peak(config.device, work.dtype)
    details = {"ms": seconds * 1e3, "% of peak": 100 * work.macs / seconds / peak.macs_per_second}
    if work.traffic is not None:
        details["% of bandwidth"] = 100 * work.traffic / seconds / peak.bytes_per_second
    if on_gpu:
        details["peak MB"] = torch.cuda.max_memory_allocated() / 1e6
        details |= _kernels(run, seconds)
    return Fact(name, work.results / seconds, "per second", details=details)


def _seconds(run: Callable[[], object], on_gpu: bool) -> float:
    start = perf_counter()
    run()
    if on_gpu:
        torch.cuda.synchronize()
    return perf_counter() - start


def _kernels(run: Callable[[], object], seconds: float) -> dict[str, float]:
    """How many kernels and copies a run starts, and how much of its time they take."""
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        run()
        torch.cuda.synchronize()
    events = profiler.events() or []
    kernels = [event for event in events if event.device_type.name == "CUDA"]
    microseconds = sum(event.device_time_total for event in kernels)
    return {"launches": len(kernels), "% busy": 100 * microseconds / 1e6 / seconds}
