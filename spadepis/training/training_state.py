"""What a training run writes: the state, from which it is resumed, and the weights."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from spadepis.checkpoints.reading import DAMAGE
from spadepis.checkpoints.writing import halve_matrices, write_weights
from spadepis.configuration import ConfigurationError
from spadepis.dataset.storage.replacement import replacing

LONGEST_REASON = 200


STATE_FILE = "state.pt"
SECONDS_BETWEEN_STATES = 60


class Stateful(Protocol):
    """A module, an optimizer or a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that has to be kept."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Take back what was kept."""


def save_state(
    path: Path, step: int, parts: Mapping[str, Stateful], settings: Mapping[str, str]
) -> None:
    """Write the number of steps done and the state of every part, replacing the file whole.

    Args:
        path: the file.
        step: number of steps done.
        parts: what has a state, by name.
        settings: those that the run keeps when it is resumed, by name.
    """
    states = {name: part.state_dict() for name, part in parts.items()}
    with replacing(path) as unfinished:
        torch.save({"step": step, "parts": states, "settings": dict(settings)}, unfinished)


def load_state(path: Path, parts: Mapping[str, Stateful], settings: Mapping[str, str]) -> int:
    """Give every part its state back and return the number of steps done; 0 without a file.

    Args:
        path: the file.
        parts: what takes its state, by name.
        settings: those that must be as they were. Older files do not say what they were.

    Raises:
        ConfigurationError: the file is damaged, or of a run with other settings.
    """
    if not path.exists():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        step: int = state["step"]
        kept = state.get("settings", {})
        for name, value in settings.items():
            if kept.get(name, value) != value:
                raise ValueError(f"{name.replace('_', ' ')} was {kept[name]}, and is {value}")
        for name, part in parts.items():
            part.load_state_dict(state["parts"][name])
    # What PyTorch raises depends on the damage; other widths are a RuntimeError or ValueError.
    except DAMAGE as error:
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise ConfigurationError(
            f"{path} cannot be resumed: it is damaged, or of a run with other settings ({reason}). "
            "Give another --output, or remove the file"
        ) from error
    return step


def make_output(folder: Path) -> None:
    """Make the output folder before anything is computed that could not be written there.

    Raises:
        ConfigurationError: it cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigurationError(
            f"--output {folder} cannot be written: {error.strerror}"
        ) from error


def save_weights(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write the weights that inference uses as safetensors, matrices in float16."""
    used = {k: v.cpu() for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    write_weights(path, halve_matrices(used), metadata)
