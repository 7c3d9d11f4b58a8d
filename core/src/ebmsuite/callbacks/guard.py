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


FIRST = 5
"""Number of windows whose median is the size of a number at the start; in the first window, that of its first step."""


class Guard:
    """Checks the energy gap, the latent vectors and the range of samples; rolls the run back or stops it.

    A step is bad if one of its numbers is not finite, if a sample is further than ``range`` half-widths from the middle
    of the event's range, or if a number that the trainer declares as ``watched`` exceeds its limit. The limit is a size
    that the trainer declares (for the gap of events 1e4), or the size of the number in the first windows of log.every
    steps times a factor that it declares (100), whichever is larger: energies that have the scale 5e8 from the start
    are not diverging. ``growth`` multiplies these limits. ``gap`` is an absolute limit of the gap instead (JEM stops at
    1e8, improved CD at energies of 10, CF-EBM at 1000). A window is bad if its |mean gap| exceeds ``jump`` times the
    median of the earlier windows (at least 20 windows); such a jump usually precedes divergence.

    If a step or window is bad, the run goes back to its last good checkpoint and multiplies the learning rates by
    ``lr_factor``; after ``events`` rollbacks it stops. The check runs every log.every steps. The earlier windows of the
    same stage of training are read from metrics.jsonl, so a resumed run decides in the same way.
    """

    def __init__(
        self,
        gap: float | None = None,
        range: float = 20.0,
        jump: float | None = 50.0,
        lr_factor: float = 0.5,
        events: int = 3,
        growth: float = 1.0,
    ) -> None:
        self.gap, self.range, self.jump, self.lr_factor, self.events = gap, range, jump, lr_factor, events
        self.growth = growth
        self._past: dict[str, list[float]] = {}
        self._seen = (-1, 0)

    @hookimpl
    def ebm_logged(self, run: Run, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        watched = run.experiment.trainer.watched
        # after the reset of a player a new stage begins, so the numbers of earlier stages do not count
        seen = len(run.events), max(run.experiment.trainer.players.reset_at.values())
        if self._seen != seen:  # at the start, after a rollback (which cuts the log) and after a reset
            rows_before = [r for r in run.history() if "event" not in r and seen[1] < r["step"] < rows[0][0]]
            self._past = {name: [abs(r[name]) for r in rows_before if name in r] for name in watched}
            self._seen = seen
        for step, row in rows:
            if "energy/data" in row:
                warn_if_rounded(torch.tensor([row["energy/data"], row["energy/samples"]]), str(run.folder))
            reason = self.problem(run, row) or self.grown(watched, row, rows[0][1])
            if reason is not None:
                run.ask_rollback(f"{reason} (step {step})", self.lr_factor, self.events, self._advice(run))
                return
        means = {name: abs(statistics.fmean(v)) for name in watched if (v := [r[name] for _, r in rows if name in r])}
        past = self._past.get("gap", [])
        usual = statistics.median(past) if len(past) >= 20 else math.inf
        for name, mean in means.items():
            self._past[name].append(mean)
        if self.jump is not None and means.get("gap", 0.0) > self.jump * usual:
            now = means["gap"]
            reason = f"the mean energy gap of steps {rows[0][0]} to {rows[-1][0]} is {now:.3g}, usually {usual:.2g}"
            run.ask_rollback(reason, self.lr_factor, self.events, self._advice(run))

    def problem(self, run: Run, row: Mapping[str, float]) -> str | None:
        """A description of the problem with the numbers of a step, whatever came before, or None."""
        for name, value in row.items():
            if not math.isfinite(value):
                return f"{name} is {value}"
        gap = row.get("gap", 0.0)
        if self.gap is not None and abs(gap) > self.gap:
            return f"the energy gap is {gap:.3g}, above the limit {self.gap:g}"
        space = run.experiment.event.range
        if space is not None:
            middle, half = (space[0] + space[1]) / 2, (space[1] - space[0]) / 2
            furthest = row.get("samples/max", 0.0)
            if furthest > abs(middle) + self.range * half:
                return f"samples reach {furthest:.3g}, but the data are in [{space[0]:g}, {space[1]:g}]"
        return None

    def grown(
        self, watched: Mapping[str, tuple[float, float]], row: Mapping[str, float], first: Mapping[str, float]
    ) -> str | None:
        """A description of a number of a step beyond its limit, or None; ``first`` is the first step of the window."""
        for name, (size, factor) in watched.items():
            if name not in row or (name == "gap" and self.gap is not None):
                continue
            start = statistics.median(self._past[name][:FIRST] or [abs(first.get(name, 0.0))])
            limit = self.growth * max(size, factor * start)
            if abs(row[name]) > limit:
                return (
                    f"{name} is {row[name]:.3g}, but it was about {start:.2g} in the first windows and the limit is "
                    f"{limit:.3g} (growth, a setting of the guard in watch, multiplies the limit)"
                )
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
