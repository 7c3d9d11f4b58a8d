"""Which checkpoint of a run is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ebmsuite.errors import DataError
from ebmsuite.experiment.recipe import Recipe
from ebmsuite.experiment.stored import checkpoint_steps, read_log

__all__ = ["best_step", "newest"]


def best_step(rows: Sequence[Mapping[str, Any]], recipe: Recipe) -> int | None:
    """The step of the checkpoint with the best score, or None if no checkpoint has one.

    The recipe's ``checkpoint.best`` names the score.
    """
    plan = recipe.checkpoint
    found = [
        (row["scores"][plan.best]["value"], row["step"])
        for row in rows
        if plan.best in row.get("scores", {}) and row["step"] % plan.every == 0
    ]
    if not found:
        return None
    return int((min if plan.better == "lower" else max)(found, key=lambda pair: pair[0])[1])


def newest(folder: Path, which: str | None = None, recipe: Recipe | None = None) -> Path:
    """The path of a checkpoint of a run: the newest (``which`` is None), "best", or the checkpoint of a step."""
    root = folder / "checkpoints"
    steps = checkpoint_steps(root)
    if not steps:
        raise DataError(f"{folder}: has no checkpoint yet; train the run first")
    step = steps[-1]
    if which == "best":
        best = None if recipe is None else best_step(read_log(folder / "metrics.jsonl"), recipe)
        if best not in steps or best is None:
            raise DataError(f"{folder}: no best checkpoint was kept (the recipe sets no checkpoint.best)")
        step = best
    elif which is not None:
        if not which.isdigit() or int(which) not in steps:
            raise DataError(f'{folder}: has no checkpoint "{which}"; it has: {", ".join(map(str, steps))}')
        step = int(which)
    return root / f"step-{step:08d}"
