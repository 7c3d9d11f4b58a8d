"""A run: its folder, its checkpoints, its history.

::

    RUN/
      recipe.yaml       complete and re-runnable: ebm train RUN/recipe.yaml
      data.json         the spaces and codec of its data, so that the model works without them
      fast.json         how chains are computed, as measured at the start
      threads.json      the number of threads, as measured at the start
      metrics.jsonl     a row every log.every steps; scores and events between them
      checkpoints/step-00000500/   players, ema, optimisers, trainer, phases-RANK, generators-RANK, run.json
      samples/          pictures by step
      report.html
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
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.recipe import Recipe, plugins_of
from ebmsuite.files import write_text, writing
from ebmsuite.plugins.registry import Registry
from ebmsuite.sampling.fast import Route

__all__ = ["Run", "RunState"]

log = logging.getLogger("ebmsuite")


@dataclass
class Rollback:
    """What a callback asked for: back to the last good checkpoint, with lower learning rates."""

    reason: str
    lr_factor: float
    limit: int
    advice: str


@dataclass
class RunState:
    """What is neither a tensor nor a setting; saved as JSON with every checkpoint."""

    step: int = 0
    lr_factor: float = 1.0
    reset_at: Mapping[str, int] | None = None
    """Player -> the step at which its optimiser and moving average began."""
    events: tuple[Mapping[str, Any], ...] = ()
    """Rollbacks so far."""
    pending: tuple[tuple[int, Mapping[str, float]], ...] = ()
    """Rows that were not yet moved to the log."""
    log_bytes: int = 0
    """Length of metrics.jsonl; what is behind it belongs to steps that will be repeated."""
    evaluated: bool = True
    """Whether the scores and pictures that are due at this step have been made."""
    scheduled: bool = True
    """False for the extra checkpoint of an interruption, which changes no later decision."""
    world: int = 1

    def as_json(self) -> str:
        """The text of run.json."""
        return json.dumps(self.__dict__, indent=1)


class Run:
    """One experiment under way, as run-time hooks see it."""

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
        """Plugins that the recipe names: an error in a hook of one ends the run."""
        self.disabled: dict[tuple[str, str], Mapping[str, Any]] = {}
        """(plugin, hook) that failed and is no longer called, with the row of the log that says so."""
        self._routes: Mapping[str, Any] = {}
        self.rng = torch.Generator(experiment.device)
        self.seed_generators()

    def seed_generators(self) -> None:
        """Seed all randomness of this process from (seed, rank, number of rollbacks)."""
        seed = (self.recipe.seed * 1_000_003 + self.ranks.rank) * 1_000_003 + len(self.events)
        self.rng.manual_seed(seed)
        torch.manual_seed(seed + 1)  # dropout draws from the global generators

    # -- what hooks may ask --------------------------------------------------------------------------------------

    def ask_rollback(self, reason: str, lr_factor: float = 0.5, limit: int = 3, advice: str = "") -> None:
        """Go back to the last good checkpoint with learning rates times ``lr_factor``; after ``limit`` stop."""
        self.rollback = self.rollback or Rollback(reason, lr_factor, limit, advice)

    def ask_stop(self, reason: str) -> None:
        """End the run after this step, as stopped."""
        self.stop = self.stop or reason

    def disable_hook(self, plugin: str, hook: str, error: Exception) -> None:
        """Call this hook no more in this run, and log that (rank 0)."""
        reason = f"{type(error).__name__}: {error}"
        row = {"step": self.step, "event": "hook disabled", "plugin": plugin, "hook": hook, "reason": reason}
        self.disabled[plugin, hook] = row
        self.append(row)

    # -- the fast path -------------------------------------------------------------------------------------------

    def keep_routes(self) -> None:
        """Store what the fast path has chosen: it was measured, and a resumed run must compute as this one did."""
        routes = self.experiment.routes
        if self.ranks.main and routes != self._routes:
            write_text(self.folder / "fast.json", json.dumps(routes, indent=1))
            self._routes = routes

    def take_routes(self) -> None:
        """Compute as the run did before it was interrupted."""
        file = self.folder / "fast.json"
        try:
            stored = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            for name, routes in stored.items():
                if not set(routes.values()) <= set(get_args(Route)):
                    raise ValueError(f"{name} has a route that is not known")
                self.experiment.trainer.phases[name].fast.routes = routes
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise DataError(
                f"{file}: cannot be read ({type(error).__name__}: {error}); delete it to measure anew what is fastest: "
                "the run then goes on from its checkpoint, but not bit for bit as it would have without the damage"
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
                while rest:  # a disk that is nearly full takes a part
                    rest = rest[file.write(rest) :]
            except OSError:
                file.truncate(length)
                raise

    def history(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl."""
        return read_log(self.log_path)

    def cut_log(self, length: int) -> None:
        """Forget the rows of steps that are about to be repeated, and what a damaged file has in the place of rows."""
        if self.log_path.exists():
            with self.log_path.open("rb+") as file:
                content = file.read(length)
                whole = content.rfind(b"\n") + 1
                if len(content) < length or whole < len(
                    content
                ):  # a file that is too short must not be filled with NUL
                    log.warning(
                        "%s: ends after %d whole bytes, its checkpoint knows of %d; the rows between are lost",
                        self.log_path, whole, length,
                    )  # fmt: skip
                file.truncate(whole)
        kept = self.history() if self.disabled else []
        for row in self.disabled.values():  # it holds for the steps that are repeated too
            if row not in kept:
                self.append(row)

    def state(self, scheduled: bool) -> RunState:
        """The state to save; ``pending`` rows are moved to the host."""
        players = self.experiment.trainer.players
        pending = tuple((t, {k: float(v) for k, v in row.items()}) for t, row in self.pending)
        length = self.log_path.stat().st_size if self.log_path.exists() else 0
        return RunState(
            self.step, players.lr_factor, dict(players.reset_at), tuple(self.events), pending, length,
            self.evaluated, scheduled, self.ranks.world,
        )  # fmt: skip

    def take(self, state: RunState) -> None:
        """Go on from a saved state."""
        players = self.experiment.trainer.players
        self.step, players.lr_factor = state.step, state.lr_factor
        players.reset_at = dict(state.reset_at or {})
        self.events, self.evaluated = list(state.events), state.evaluated
        self.pending = [(t, row) for t, row in state.pending]


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl.

    A last line that a kill cut off is left out. A line that is no row, as a crash of the machine can leave behind, is
    left out with a warning that gives its number.
    """
    rows = []
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError:  # also of bytes that are not UTF-8
            row = None
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
        elif (path, number) not in _told:  # a run reads its log at every checkpoint
            _told.add((path, number))
            log.warning("%s, line %d: damaged, so it is left out; the rest of the log is used", path, number)
    return rows


_told: set[tuple[Path, int]] = set()
"""Lines that have been warned of."""
