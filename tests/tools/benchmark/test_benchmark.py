import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from spadepis.labels import ADE20K, COCO_STUFF
from tools.benchmark.config import BenchmarkConfig
from tools.benchmark.device import Peak
from tools.benchmark.inputs import read_inputs
from tools.benchmark.job import run_job
from tools.benchmark.measuring import Case, Form, count_macs, measure
from tools.benchmark.networks import load_networks
from tools.benchmark.plain_smoothing import smooth_by_factorization
from tools.benchmark.plain_stylization import stylize_pair
from tools.benchmark.plain_synthesis import synthesize_densely
from tools.benchmark.smoothing import smoothing_work
from tools.benchmark.table import HEADER, markdown, row

SECONDS = 1000


@pytest.fixture
def flags(spade_checkpoint: str, photowct_checkpoint: str, tmp_path: Path) -> list[str]:
    """Tiny networks, one repeat."""
    return [
        f"--spade-checkpoint={spade_checkpoint}",
        f"--photowct-checkpoint={photowct_checkpoint}",
        f"--output={tmp_path / 'benchmark.json'}",
        "--images=2",
        "--repeats=1",
        f"--longest={SECONDS}",
    ]


def test_every_case_has_a_row(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_job([*flags, "--sizes=32,64", "--styles=1,3"]) == 0
    report = json.loads((tmp_path / "benchmark.json").read_text())
    rows = report["rows"]
    expected = {
        (stage, size, styles)
        for size in (32, 64)
        for stage, styles in [("synthesis", None)]
        + [(stage, k) for stage in ("stylization", "smoothing", "chain") for k in (1, 3)]
    }
    assert {(each["stage"], each["size"], each["styles"]) for each in rows} == expected
    assert len(rows) == len(expected)
    for each in rows:
        for name, value in each.items():
            if isinstance(value, float):
                assert math.isfinite(value), name
        assert each["per_second"] > 0 and each["ratio"] > 0 and each["gigamacs"] > 0
        assert (each["percent_of_copy"] is None) == (each["stage"] != "smoothing")
        assert each["items"] == 2 * (each["styles"] or 1)
        assert len(each["seconds"]) == len(each["plain_seconds"]) == 1
        # The chain rounds to 8 bits twice on its way.
        limit = {"synthesis": 1e-4, "stylization": 0.02, "smoothing": 1 / 255, "chain": 0.05}
        scale = max(1, each["largest_value"])
        assert each["largest_difference"] <= limit[each["stage"]] * scale, each["stage"]
    assert report["device"]
    assert torch.__version__.startswith(report["versions"]["torch"])
    assert report["configuration"]["sizes"] == [32, 64]
    printed = capsys.readouterr().out.strip().splitlines()
    assert len([line for line in printed if line.startswith("|")]) == len(rows) + 2


def test_stages_can_be_chosen(flags: list[str], tmp_path: Path) -> None:
    assert run_job([*flags, "--sizes=32", "--stages=synthesis"]) == 0
    rows = json.loads((tmp_path / "benchmark.json").read_text())["rows"]
    assert [each["stage"] for each in rows] == ["synthesis"]


@pytest.mark.parametrize(
    "flag", ["--sizes=33", "--masks=nowhere", "--spade-checkpoint=nowhere", "--stages=other"]
)
def test_bad_settings_are_one_line(
    flag: str, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_job([*flags, "--sizes=32", flag]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def config(flags: list[str], **settings: object) -> BenchmarkConfig:
    pairs = [flag.removeprefix("--").split("=") for flag in flags]
    values = {name.replace("-", "_"): value for name, value in pairs}
    return BenchmarkConfig.model_validate(values | settings)


def test_plain_forms_are_exact_in_float64(flags: list[str]) -> None:
    settings = config(flags)
    networks, inputs = load_networks(settings), read_inputs(settings, 64, 1)
    networks.spade.double(), networks.photowct.double()
    photo = networks.spade(inputs.labels, inputs.edges)
    weights = networks.spade.state_dict()
    dense = synthesize_densely(weights, COCO_STUFF, inputs.labels, inputs.edges)
    torch.testing.assert_close(photo, dense, atol=1e-10, rtol=0)
    content, style = (
        torch.from_numpy(images[:1]).permute(0, 3, 1, 2) / torch.tensor(255.0).double()
        for images in (inputs.contents, inputs.styles)
    )
    fast = networks.photowct.stylize(content[0], [networks.photowct.encode_style(style[0])])
    plain = stylize_pair(networks.photowct.state_dict(), content, style)
    torch.testing.assert_close(fast, plain, atol=1e-8, rtol=1e-8)


def test_label_spaces_without_edges(flags: list[str], tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(np.full((40, 50), 3, np.uint8)).save(masks / "a.png")
    inputs = read_inputs(config(flags, masks=str(masks), label_space="ade20k"), 32, 1)
    assert inputs.edges is None and inputs.labels.shape == (2, 32, 32)
    assert (inputs.labels == ADE20K.decode(np.full((1, 1), 3)).item()).all()


def test_stylized_inputs_are_photos_in_the_colours_of_the_styles(flags: list[str]) -> None:
    inputs = read_inputs(config(flags), 64, 3)
    stylized = inputs.stylized()
    assert stylized.shape == (2, 3, 64, 64, 3) and stylized.dtype == np.float32
    assert stylized.min() >= 0 and stylized.max() <= 1
    difference = stylized.mean((2, 3)) - inputs.styles.mean((1, 2)) / 255
    assert abs(difference).max() < 0.1


def test_work_of_smoothing_grows_with_styles_and_iterations() -> None:
    contents = torch.randint(256, (2, 12, 10, 3), generator=torch.Generator().manual_seed(0))
    stylized = torch.rand(2, 2, 12, 10, 3)
    stylized[:, 1] = stylized[:, 0]
    once = smoothing_work(contents.byte(), stylized[:, :1])
    twice = smoothing_work(contents.byte(), stylized)
    assert once[0] > 0 and twice == (2 * once[0], 2 * once[1])
    assert smoothing_work(contents.byte(), 0 * stylized) == (0, 0)


def test_factorization_reproduces_a_constant() -> None:
    content = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    smoothed = smooth_by_factorization(content, np.full((12, 9, 3), 0.25, np.float32))
    assert abs(smoothed - 0.25).max() < 0.1


def test_multiply_accumulates_of_a_product() -> None:
    a, b = torch.rand(3, 4), torch.rand(4, 5)
    assert count_macs(lambda: a @ b) == 60


def case(calls: list[str]) -> Case:
    def form(name: str, items: int) -> Form:
        def run() -> torch.Tensor:
            calls.append(name)
            return torch.full((items, 2), items)

        return Form(run, items, "cpu")

    return Case("synthesis", 32, None, form("fast", 4), form("plain", 1), 8, 16)


def test_forms_take_turns() -> None:
    calls: list[str] = []
    fast, plain = measure(case(calls), repeats=3, longest=SECONDS, plain_keeps_memory=False)
    assert calls == ["fast", "plain"] * 4
    assert len(fast.seconds) == len(plain.seconds) == 3


def test_a_long_run_is_not_repeated() -> None:
    calls: list[str] = []
    fast, plain = measure(case(calls), repeats=3, longest=0, plain_keeps_memory=False)
    assert calls == ["fast", "plain"]
    assert len(fast.seconds) == len(plain.seconds) == 1
    assert fast.peak_bytes > 10**6


def test_row_puts_measurements_in_relation() -> None:
    calls: list[str] = []
    fast, plain = measure(case(calls), repeats=1, longest=SECONDS, plain_keeps_memory=False)
    fast.seconds, plain.seconds = [2.0, 1.0, 9.0], [3.0]
    found = row(case(calls), fast, plain, Peak(macs_per_second=40, bytes_per_second=10))
    assert found.per_second == 2 and found.plain_per_second == pytest.approx(1 / 3)
    assert found.ratio == pytest.approx(6)
    assert found.largest_difference == 3 and found.largest_value == 1
    assert found.percent_of_product == pytest.approx(10)
    assert found.percent_of_copy == pytest.approx(80)
    lines = markdown([found]).splitlines()
    assert len(lines) == 3 and all(line.count("|") == len(HEADER) + 1 for line in lines)
