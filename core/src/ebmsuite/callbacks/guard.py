"""The stability guard, which rolls a diverging run back or stops it."""

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
    """Checks the energies, the energy gap and the range of samples; rolls the run back or stops it if they are bad.

    A step is bad if one of its numbers is not finite, if |gap| exceeds ``gap`` (JEM stops at 1e8, improved CD at
    energies of 10, CF-EBM at 1000), or if a sample is further than ``range`` half-widths from the middle of the
    event's range. A window of log.every steps is bad if its |mean gap| exceeds ``jump`` times the median of the
    earlier windows in the same stage of training (at least 20 windows); such a jump usually precedes divergence. If
    a step or window is bad, the run goes back to its last good checkpoint and multiplies the learning rates by
    ``lr_factor``; after ``events`` rollbacks it stops. The check runs every log.every steps. The earlier windows are
    read from metrics.jsonl, so a resumed run decides in the same way.
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
        # after the reset of a player a new stage begins, so the gaps of earlier stages do not count
        seen = len(run.events), max(run.experiment.trainer.players.reset_at.values())
        if self._seen != seen:  # at the start, after a rollback (which cuts the log) and after a reset
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
            reason = f"the mean energy gap of steps {rows[0][0]} to {rows[-1][0]} is {now:.3g}, usually {usual:.2g}"
            run.ask_rollback(reason, self.lr_factor, self.events, self._advice(run))

    def problem(self, run: Run, row: Mapping[str, float]) -> str | None:
        """A description of the problem with the numbers of a step, or None."""
        for name, value in row.items():
            if not math.isfinite(value):
                return f"{name} is {value}"
        gap = row.get("gap", 0.0)
        if abs(gap) > self.gap:
            return f"the energy gap is {gap:.3g}, above the limit {self.gap:g}"
        space = run.experiment.event.range
        if space is not None:
            middle, half = (space[0] + space[1]) / 2, (space[1] - space[0]) / 2
            furthest = row.get("samples/max", 0.0)
            if furthest > abs(middle) + self.range * half:
                return f"samples reach {furthest:.3g}, but the data are in [{space[0]:g}, {space[1]:g}]"
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
