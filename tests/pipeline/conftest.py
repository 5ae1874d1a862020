"""Fixtures for tests of the pipeline."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture
def process_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker in this process sets it up; afterwards all is as before."""
    threads, tf32 = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    # What glibc's allocator is told cannot be taken back.
    monkeypatch.setattr("spadepis.pipeline.workers.process.keep_freed_memory", lambda: None)
    yield
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = tf32
