"""Memory does not grow with the number of pairs. Run by ``make long``."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep

import psutil
import pytest

SCRIPT = Path(__file__).parents[2] / "jobs" / "synthesize_and_stylize.py"


def peak_memory(command: list[str]) -> int:
    """Bytes that a command and all its descendants held at most, shared pages counted once."""
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}
    peak = 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(
                peak, sum(map(proportional_set_size, [root, *root.children(recursive=True)]))
            )
            sleep(1)
    assert process.returncode == 0
    return peak


def proportional_set_size(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0


@pytest.mark.long
def test_two_thousand_pairs_take_no_more_memory_than_two_hundred(
    tmp_path: Path,
    spade_checkpoint: str,
    photowct_checkpoint: str,
    make_label_maps: Callable[..., str],
    make_photos: Callable[..., str],
) -> None:
    masks = make_label_maps(tmp_path / "masks", 500, size=256)
    styles = make_photos(tmp_path / "styles", 8)
    peaks = {}
    for scenes in (50, 500):
        peaks[scenes * 4] = peak_memory(
            [
                sys.executable,
                str(SCRIPT),
                f"--masks={masks}",
                f"--styles={styles}",
                "--styles-per-mask=4",
                "--size=64x64",
                f"--limit={scenes}",
                f"--spade-checkpoint={spade_checkpoint}",
                f"--photowct-checkpoint={photowct_checkpoint}",
                f"--output={tmp_path / f'out{scenes}'}",
            ]
        )
    print({pairs: f"{peak / 2**20:.0f} MiB" for pairs, peak in peaks.items()})
    assert peaks[2000] < 1.15 * peaks[200]
