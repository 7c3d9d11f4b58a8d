"""The files in a run folder: its checkpoints, the tensors in them, and the log."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from ebmsuite.errors import DataError

__all__ = ["STEP", "checkpoint_steps", "load_tensors", "read_log"]

log = logging.getLogger("ebmsuite")

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


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl.

    An incomplete last line (the process was killed) is ignored. Any other line that is not a row (the machine crashed)
    is ignored with a warning that gives its number.
    """
    rows = []
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:  # includes bytes that are not UTF-8
            row = None
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
        elif (path, number) not in _told:  # warn once: a run reads its log at every checkpoint
            _told.add((path, number))
            log.warning("%s, line %d: damaged, so it is ignored; the rest of the log is used", path, number)
    return rows


_told: set[tuple[Path, int]] = set()
"""Damaged lines that a warning has already named."""
