"""A run: its folder, its state and its history.

::

    RUN/
      recipe.yaml       the complete recipe; ebm train RUN/recipe.yaml repeats the run
      data.json         the spaces and codec of the data (the model works without the data), and what was skipped
      fast.json         how chains are computed, as measured at the start
      threads.json      the number of threads, as measured at the start
      layout.json       the memory layout of 3-D convolutions, as measured at the start, if there are any
      metrics.jsonl     one row per log.every steps; scores and events between them
      checkpoints/step-00000500/   players, ema, optimisers, trainer, phases-RANK, generators-RANK, run.json
      samples/          pictures, one folder per step
      report.html       the page of the run
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from ebmsuite.errors import DataError
from ebmsuite.experiment import provenance
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.recipe import Recipe, plugins_of
from ebmsuite.experiment.stored import read_log
from ebmsuite.files import write_text, writing
from ebmsuite.plugins.registry import Registry
from ebmsuite.sampling.fast import Route

__all__ = ["Run", "RunState"]

log = logging.getLogger("ebmsuite")


@dataclass
class Rollback:
    """A request of a callback: return to the last good checkpoint with lower learning rates."""

    reason: str
    lr_factor: float
    limit: int
    advice: str


@dataclass
class RunState:
    """The state of a run other than tensors and settings; saved as JSON with every checkpoint."""

    step: int = 0
    lr_factor: float = 1.0
    reset_at: Mapping[str, int] | None = None
    """Player -> the step at which its optimiser and moving average started."""
    events: tuple[Mapping[str, Any], ...] = ()
    """Rollbacks so far."""
    pending: tuple[tuple[int, Mapping[str, float]], ...] = ()
    """Rows that are not in the log yet."""
    log_bytes: int = 0
    """Length of metrics.jsonl at the checkpoint; later content belongs to steps that will be repeated."""
    evaluated: bool = True
    """Whether the scores and pictures of this step exist."""
    scheduled: bool = True
    """False for the additional checkpoint of an interruption, which must not affect later decisions."""
    world: int = 1

    def as_json(self) -> str:
        """The text of run.json."""
        return json.dumps(self.__dict__, indent=1)


class Run:
    """A running experiment; run-time hooks receive this object."""

    def __init__(self, folder: Path, experiment: Experiment, registry: Registry) -> None:
        self.folder, self.experiment, self.registry = folder, experiment, registry
        self.recipe: Recipe = experiment.recipe
        self.ranks = experiment.ranks
        self.step = 0
        """Completed learning steps."""
        self.events: list[Mapping[str, Any]] = []
        self.evaluated = True
        self.pending: list[tuple[int, Mapping[str, Tensor | float]]] = []
        self.rollback: Rollback | None = None
        self.stop: str | None = None
        self.uses = plugins_of(self.recipe)
        """Plugins that the recipe names. An error in a hook of one of them ends the run."""
        self.disabled: dict[tuple[str, str], Mapping[str, Any]] = {}
        """(plugin, hook) that failed and is no longer called -> the row of the log that records this."""
        self._routes: Mapping[str, Any] = {}
        self.rng = torch.Generator(experiment.device)
        self.seed_generators()

    def seed_generators(self) -> None:
        """Seed all random generators of this process from (seed, rank, number of rollbacks)."""
        seed = (self.recipe.seed * 1_000_003 + self.ranks.rank) * 1_000_003 + len(self.events)
        self.rng.manual_seed(seed)
        torch.manual_seed(seed + 1)  # dropout draws from the global generators

    # -- requests of hooks ---------------------------------------------------------------------------------------

    def ask_rollback(self, reason: str, lr_factor: float = 0.5, limit: int = 3, advice: str = "") -> None:
        """Go back to the last good checkpoint and multiply the learning rates by ``lr_factor``.

        After ``limit`` rollbacks the run stops.
        """
        self.rollback = self.rollback or Rollback(reason, lr_factor, limit, advice)

    def ask_stop(self, reason: str) -> None:
        """End the run after this step with the outcome "stopped"."""
        self.stop = self.stop or reason

    def disable_hook(self, plugin: str, hook: str, error: Exception) -> None:
        """Do not call this hook again in this run, and record that in the log (rank 0)."""
        reason = f"{type(error).__name__}: {error}"
        row = {"step": self.step, "event": "hook disabled", "plugin": plugin, "hook": hook, "reason": reason}
        self.disabled[plugin, hook] = row
        self.append(row)

    # -- the fast path -------------------------------------------------------------------------------------------

    def keep_routes(self) -> None:
        """Store the routes that the fast path chose by measurement; a resumed run must compute in the same way."""
        routes = self.experiment.routes
        if self.ranks.main and routes != self._routes:
            write_text(self.folder / "fast.json", json.dumps(routes, indent=1))
            self._routes = routes

    def take_routes(self) -> None:
        """Use the stored routes of the fast path, so that a resumed run computes as before."""
        file = self.folder / "fast.json"
        try:
            stored = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            for name, routes in stored.items():
                if not set(routes.values()) <= set(get_args(Route)):
                    raise ValueError(f"{name} has an unknown route")
                self.experiment.trainer.phases[name].fast.routes = routes
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise DataError(
                f"{file}: cannot be read ({type(error).__name__}: {error}); delete it to measure again: the run can "
                "then resume, but its results will not match bit for bit"
            ) from error

    # -- history -------------------------------------------------------------------------------------------------

    @property
    def log_path(self) -> Path:
        return self.folder / "metrics.jsonl"

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row to metrics.jsonl (rank 0)."""
        rest = memoryview((json.dumps(row) + "\n").encode())
        with writing(self.log_path), self.log_path.open("ab", buffering=0) as file:
            length = file.seek(0, os.SEEK_END)
            try:
                while rest:  # a nearly full disk may accept only a part of the row
                    rest = rest[file.write(rest) :]
            except OSError:
                file.truncate(length)
                raise

    def history(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl."""
        return read_log(self.log_path)

    def cut_log(self, length: int) -> None:
        """Cut metrics.jsonl to ``length`` bytes and to whole rows, because the later steps will be repeated."""
        if self.log_path.exists():
            with self.log_path.open("rb+") as file:
                content = file.read(length)
                whole = content.rfind(b"\n") + 1
                # truncate() would fill a file that is too short with NUL
                if len(content) < length or whole < len(content):
                    log.warning(
                        "%s: its whole rows end at byte %d, but the checkpoint recorded %d; the rows between are lost",
                        self.log_path, whole, length,
                    )  # fmt: skip
                file.truncate(whole)
        # hooks stay disabled in the repeated steps, and changes of the data stay changes
        lasting = [*self.disabled.values(), *self._data_changes()]
        kept = self.history() if lasting else []
        for row in lasting:
            if row not in kept:
                self.append(row)

    def _data_changes(self) -> list[Mapping[str, Any]]:
        stored = self.folder / provenance.FILE
        return list(provenance.read(self.folder).get("changed", [])) if stored.exists() else []

    def state(self, scheduled: bool) -> RunState:
        """The state to save. Moves the ``pending`` rows to the host."""
        players = self.experiment.trainer.players
        pending = tuple((t, {k: float(v) for k, v in row.items()}) for t, row in self.pending)
        length = self.log_path.stat().st_size if self.log_path.exists() else 0
        return RunState(
            self.step, players.lr_factor, dict(players.reset_at), tuple(self.events), pending, length,
            self.evaluated, scheduled, self.ranks.world,
        )  # fmt: skip

    def take(self, state: RunState) -> None:
        """Continue from a saved state."""
        players = self.experiment.trainer.players
        self.step, players.lr_factor = state.step, state.lr_factor
        players.reset_at = dict(state.reset_at or {})
        self.events, self.evaluated = list(state.events), state.evaluated
        self.pending = [(t, row) for t, row in state.pending]
