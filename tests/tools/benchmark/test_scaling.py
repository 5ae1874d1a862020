"""The simulation of many workers: what it counts, and the stages that it simulates with."""

import pytest

from tools.benchmark.scaling import (
    DriverRate,
    Scaling,
    driver_table,
    measure_driver,
    measure_scaling,
    scaling_table,
)


def test_workers_that_sleep_do_all_scenes_at_once(cluster: None) -> None:
    workers = 4
    measured = measure_scaling(workers, scenes=24 * workers, seconds=0.2)
    assert (measured.workers, measured.scenes) == (workers, 24 * workers)
    assert 0 < measured.efficiency <= 1
    # One worker alone does five a second.
    assert measured.rate == pytest.approx(measured.efficiency * 5 * workers)


def test_the_driver_sends_all_blocks_through_all_stages(cluster: None) -> None:
    measured = measure_driver(rows=4, blocks=12)
    assert measured.rows == 4
    assert measured.rate > 0


def test_the_tables() -> None:
    assert "| 4 | 96 | 1.30 | 97.5 % |" in scaling_table([Scaling(4, 96, 0.975, 1.3)])
    table = driver_table([DriverRate(1, 40.0), DriverRate(16, 640.0)], seconds=3.0)
    assert "workers of 3 s" in table
    assert "| 16 | 40 | 640 | 1920 |" in table
