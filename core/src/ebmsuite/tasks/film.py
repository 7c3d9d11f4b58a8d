"""The course of chains: which moments to show, and the states of the chains at these moments."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ebmsuite.sampling import Phase, Start

__all__ = ["follow", "moments"]


def moments(steps: int, frames: int, spacing: Literal["even", "geometric"]) -> list[int]:
    """Choose ``frames`` different numbers of steps from 0 to ``steps``, or all of them if there are fewer.

    ``spacing`` is "even", or "geometric": closer together at the start.
    """
    if frames < 2:
        raise ValueError(f"a film has at least 2 frames, got {frames}")
    frames = min(frames, steps + 1)
    part = np.linspace(0, 1, frames)
    wanted = (steps + 1) ** part - 1 if spacing == "geometric" else steps * part
    chosen: list[int] = []
    for i, moment in enumerate(wanted):
        after = chosen[-1] + 1 if chosen else 0
        chosen.append(min(max(after, round(float(moment))), steps - (frames - 1 - i)))
    return chosen


def follow(
    phase: Phase, start: Start, rng: torch.Generator, times: Collection[int], device: torch.device | str = "cpu"
) -> dict[int, Tensor]:
    """Run chains from ``start``; return states [B, *event] on ``device`` after each number of steps in ``times``."""
    seen: dict[int, Tensor] = {}

    def look(done: int, x: Tensor) -> None:
        if done in times:
            seen[done] = x.detach().to(device, copy=True)

    def each(i: int, state: Any, info: Any) -> None:
        look(i + 1, state.x)

    look(0, start.x)
    phase.refine(start, rng, max(times, default=0), each)
    return seen
