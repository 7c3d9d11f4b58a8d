"""The checkpoints in a run folder: which there are, and the tensors in their files."""

from __future__ import annotations

import re
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from ebmsuite.errors import DataError

__all__ = ["STEP", "checkpoint_steps", "load_tensors"]

STEP = re.compile(r"^step-(\d{8})$")


def checkpoint_steps(root: Path) -> list[int]:
    """The steps that have a complete checkpoint, in ascending order."""
    found = (STEP.match(p.name) for p in root.iterdir()) if root.is_dir() else ()
    return sorted(int(m.group(1)) for m in found if m)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of a checkpoint by name. Raises a `DataError` if it cannot be read."""
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own types for a damaged file
        raise DataError(
            f"{path}: cannot be read ({error}); delete this checkpoint, the folder {path.parent}, to use "
            "the one before it"
        ) from error
