"""The stability guard."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import torch

from ebmsuite.energy import warn_if_rounded
from ebmsuite.experiment.run import Run
from ebmsuite.hookspecs import hookimpl

__all__ = ["Guard"]


class Guard:
    """Watches energies, gap and sample range; rolls back and lowers the learning rates, or stops.

    A step is bad when a number of it is not finite, when |gap| is above ``gap`` (JEM stops at 1e8, improved CD at
    energies of 10, CF-EBM at 1000), or when a sample is further than ``range`` half-widths from the middle of the
    event's range. A window of log.every steps is bad when its mean |gap| is above ``jump`` times the median of the
    windows before it in the same stage of learning, twenty at least: the usual beginning of the end. What is bad leads
    to a rollback with learning rates times ``lr_factor``; after ``events`` rollbacks the run stops. Judged on numbers
    that have been moved to the host, every log.every steps; the windows are those of metrics.jsonl, so that a resumed
    run judges alike.
    """

    def __init__(
        self,
        gap: float = 1e4,
        range: float = 20.0,
        jump: float | None = 50.0,
        lr_factor: float = 0.5,
        events: int = 3,
    ) -> None:
        self.gap, self.range, self.jump, self.lr_factor, self.events = gap, range, jump, lr_factor, events
        self._past: list[float] = []
        self._seen = (-1, 0)

    @hookimpl
    def ebm_logged(self, run: Run, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        # a player that has been reset is in a new stage: the gaps of the one before say nothing of this one
        seen = len(run.events), max(run.experiment.trainer.players.reset_at.values())
        if self._seen != seen:  # at the start, and when the log was cut
            past = (r for r in run.history() if "gap" in r and seen[1] < r["step"] < rows[0][0])
            self._past, self._seen = [abs(r["gap"]) for r in past], seen
        for step, row in rows:
            if "energy/data" in row:
                warn_if_rounded(torch.tensor([row["energy/data"], row["energy/samples"]]), str(run.folder))
            reason = self.problem(run, row)
            if reason is not None:
                run.ask_rollback(f"{reason} (step {step})", self.lr_factor, self.events, self._advice(run))
                return
        gaps = [row["gap"] for _, row in rows if "gap" in row]
        if self.jump is None or not gaps:
            return
        now = abs(statistics.fmean(gaps))
        usual = statistics.median(self._past) if len(self._past) >= 20 else math.inf
        self._past.append(now)
        if now > self.jump * usual:
            reason = (
                f"the energy gap is {now:.3g} in the mean of steps {rows[0][0]} to {rows[-1][0]}, usually {usual:.2g}"
            )
            run.ask_rollback(reason, self.lr_factor, self.events, self._advice(run))

    def problem(self, run: Run, row: Mapping[str, float]) -> str | None:
        """What is wrong with the numbers of a step, or None."""
        for name, value in row.items():
            if not math.isfinite(value):
                return f"{name} is {value}"
        gap = row.get("gap", 0.0)
        if abs(gap) > self.gap:
            return f"the energy gap is {gap:.3g}, beyond {self.gap:g}"
        space = run.experiment.event.range
        if space is not None:
            middle, half = (space[0] + space[1]) / 2, (space[1] - space[0]) / 2
            furthest = row.get("samples/max", 0.0)
            if furthest > abs(middle) + self.range * half:
                return f"samples reach {furthest:.3g}, the data are in [{space[0]:g}, {space[1]:g}]"
        return None

    @staticmethod
    def _advice(run: Run) -> str:
        keys = [f"optimisers.{name}.lr" for name in run.recipe.optimisers]
        advice = f"Lower {' or '.join(keys)}, or set optimisers.*.clip"
        if "data_noise" in run.recipe.trainer:
            advice += ", raise trainer.data_noise"
        if "energy_l2" in run.recipe.trainer:
            advice += ", set trainer.energy_l2 (0.01 to 1)"
        if run.recipe.phases:
            advice += ", raise phases.*.steps"
        return advice + "."
