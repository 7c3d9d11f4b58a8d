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
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ebmsuite.errors import DataError, UserError
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.recipe import Recipe, plugins_of
from ebmsuite.files import sync, write_text, writing
from ebmsuite.plugins.registry import Registry
from ebmsuite.sampling.fast import Route
from ebmsuite.tree import to_host

__all__ = ["Checkpoints", "Run", "RunState", "checkpoint_steps", "newest"]

log = logging.getLogger("ebmsuite")

EARLIER_NAMES = {"reset_at": "born", "evaluated": "judged"}
"""Key of run.json -> what it was called until 0.1."""

STEP = re.compile(r"^step-(\d{8})$")


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


# -- checkpoints ---------------------------------------------------------------------------------------------------


class Checkpoints:
    """Directories, written aside, synced and renamed whole; nothing is pickled."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.root = folder / "checkpoints"
        self.recipe = recipe

    def save(self, run: Run, scheduled: bool = True) -> Path:
        """Save everything that a resumed run needs. Called on all ranks."""
        ranks = run.ranks
        path = self.root / f"step-{run.step:08d}"
        aside = self.root / f".step-{run.step:08d}.part"
        if path.exists():  # resumed here: the run being deterministic, it holds what would be written
            return path
        state = run.state(scheduled)
        try:
            self._write(run, path, aside, state)
        except BaseException:
            if ranks.main:  # what is half written takes the space that a resumed run needs
                shutil.rmtree(aside, ignore_errors=True)
            raise
        if ranks.main:
            self._prune(run)
        ranks.wait()
        return path

    def _write(self, run: Run, path: Path, aside: Path, state: RunState) -> None:
        experiment, ranks = run.experiment, run.ranks
        trainer, players = experiment.trainer, experiment.trainer.players
        if ranks.main:
            shutil.rmtree(aside, ignore_errors=True)
            with writing(aside):
                aside.mkdir(parents=True)
        ranks.wait()
        phases = {
            f"{name}.{key}": value
            for name, phase in trainer.phases.items()
            for key, value in phase.chains.state().items()
        }
        _save(phases, aside / f"phases-{ranks.rank}.safetensors")
        _save(_generators(run), aside / f"generators-{ranks.rank}.safetensors")
        if ranks.main:
            _save(_net_state(dict(players.items())), aside / "players.safetensors")
            _save(_net_state(players.ema), aside / "ema.safetensors")
            _save(players.optimiser_state(), aside / "optimisers.safetensors")
            _save(trainer.state(), aside / "trainer.safetensors")
            with writing(aside / "run.json"):
                (aside / "run.json").write_text(state.as_json(), encoding="utf-8")
        ranks.wait()
        if ranks.main:
            with writing(path):  # a network disk may say only now that it is full
                for file in aside.iterdir():
                    sync(file)
                if run.log_path.exists():
                    sync(run.log_path)
                os.rename(aside, path)
                sync(self.root)

    def mark_evaluated(self, run: Run) -> None:
        """The scores and pictures of this step's checkpoint are made: a resume need not make them again."""
        path = self.root / f"step-{run.step:08d}"
        if run.ranks.main and path.is_dir():
            state = run.state(_read_state(path).scheduled)
            if run.log_path.exists():
                sync(run.log_path)  # the rows must be on the disk before their length is
            write_text(path / "run.json", state.as_json())

    def _prune(self, run: Run) -> None:
        scheduled: list[int] = []
        best = best_step(run.history(), self.recipe)
        for step in checkpoint_steps(self.root):
            if _read_state(self.root / f"step-{step:08d}").scheduled:
                scheduled.append(step)
            elif step < run.step:
                self._delete(step)
        for step in scheduled[: -self.recipe.checkpoint.keep]:
            if step != best:
                self._delete(step)

    def _delete(self, step: int) -> None:
        # renamed first: a directory that is half deleted must not look like a checkpoint
        path, aside = self.root / f"step-{step:08d}", self.root / f".step-{step:08d}.old"
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(path, aside)
        shutil.rmtree(aside)

    def forget_after(self, step: int) -> None:
        """Delete the checkpoints of steps that are about to be repeated."""
        for later in checkpoint_steps(self.root):
            if later > step:
                self._delete(later)

    def load(self, path: Path, run: Run, same_examples: bool = True) -> RunState:
        """Put a run in the state of a checkpoint; metrics.jsonl stays as it is.

        Unless the data have the ``same_examples`` as then, chains that belong to examples start afresh.
        """
        state, ranks = _read_state(path), run.ranks
        if state.world != ranks.world:
            raise UserError(
                f"{path}: saved by {state.world} processes, this run has {ranks.world}; "
                f"resume with --devices {state.world}"
            )
        trainer = run.experiment.trainer
        self.load_model(path, run.experiment, same_examples)
        trainer.players.restore_optimisers(_load(path / "optimisers.safetensors"))
        _restore_generators(run, _load(path / f"generators-{ranks.rank}.safetensors"))
        run.take(state)
        return state

    def load_model(self, path: Path, experiment: Experiment, same_examples: bool = True) -> int:
        """Weights, chains and what the trainer keeps; gives the step."""
        players = experiment.trainer.players
        _load_nets(dict(players.items()), path / "players.safetensors")
        _load_nets(players.ema, path / "ema.safetensors")
        rank = experiment.ranks.rank
        chains = _load(path / f"phases-{rank}.safetensors")
        for name, phase in experiment.trainer.phases.items():
            own = {k[len(name) + 1 :]: v for k, v in chains.items() if k.startswith(name + ".")}
            try:
                phase.chains.restore(own if same_examples or not phase.chains.per_example else {}, experiment.device)
            except DataError as error:
                raise DataError(f"{path}, phases.{name}.chains: {error}") from error
        experiment.trainer.restore(_load(path / "trainer.safetensors"))
        step = _read_state(path).step
        experiment.at(step)
        return step

    def good(self) -> Path:
        """The newest scheduled checkpoint: rollbacks go there, whatever interruptions saved beside it."""
        for step in reversed(checkpoint_steps(self.root)):
            path = self.root / f"step-{step:08d}"
            if _read_state(path).scheduled:
                return path
        raise DataError(f"{self.root}: there is no checkpoint to go back to")


def checkpoint_steps(root: Path) -> list[int]:
    """Steps that have a complete checkpoint, ascending."""
    found = (STEP.match(p.name) for p in root.iterdir()) if root.is_dir() else ()
    return sorted(int(m.group(1)) for m in found if m)


def best_step(rows: Sequence[Mapping[str, Any]], recipe: Recipe) -> int | None:
    """The step of the checkpoint with the best score, as the recipe's ``checkpoint.best`` asks; None without."""
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
    """The checkpoint of a run: the newest, or "best", or that of a step."""
    root = folder / "checkpoints"
    steps = checkpoint_steps(root)
    if not steps:
        raise DataError(f"{folder}: there is no checkpoint in it yet")
    step = steps[-1]
    if which == "best":
        best = None if recipe is None else best_step(read_log(folder / "metrics.jsonl"), recipe)
        if best not in steps or best is None:
            raise DataError(f"{folder}: no best checkpoint was kept (the recipe sets no checkpoint.best)")
        step = best
    elif which is not None:
        if not which.isdigit() or int(which) not in steps:
            raise DataError(f'{folder}: there is no checkpoint "{which}" (there are: {", ".join(map(str, steps))})')
        step = int(which)
    return root / f"step-{step:08d}"


def _read_state(path: Path) -> RunState:
    try:
        stored = json.loads((path / "run.json").read_text(encoding="utf-8"))
        if not isinstance(stored, dict) or not {"step", "log_bytes"} <= stored.keys():
            raise ValueError("it is incomplete")
        for new, old in EARLIER_NAMES.items():
            if old in stored:
                stored[new] = stored.pop(old)
        return RunState(**stored)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{path / 'run.json'}: cannot be read ({error}); delete the folder {path} to use the checkpoint before it"
        ) from error


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    with writing(path):
        save_file({k: to_host(v) for k, v in tensors.items()}, path)


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own types for a damaged file
        raise DataError(
            f"{path}: cannot be read ({error}); delete this checkpoint, the folder {path.parent}, to use "
            "the one before it"
        ) from error


def _net_state(nets: Mapping[str, torch.nn.Module]) -> dict[str, Tensor]:
    return {f"{name}/{key}": value for name, net in nets.items() for key, value in net.state_dict().items()}


def _load_nets(nets: Mapping[str, torch.nn.Module], path: Path) -> None:
    state = _load(path)
    for name, net in nets.items():
        own = {k[len(name) + 1 :]: v for k, v in state.items() if k.startswith(name + "/")}
        try:
            net.load_state_dict(own)
        except RuntimeError as error:
            raise DataError(f'{path}: player "{name}" does not fit the recipe ({error})') from error


def _generators(run: Run) -> dict[str, Tensor]:
    state = {"rng": run.rng.get_state(), "cpu": torch.get_rng_state()}
    if run.experiment.device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(run.experiment.device)
    return state


def _restore_generators(run: Run, state: Mapping[str, Tensor]) -> None:
    run.rng.set_state(state["rng"])
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and run.experiment.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], run.experiment.device)


def clean_leftovers(root: Path) -> None:
    """Remove what a killed process was writing or deleting."""
    for path in root.iterdir() if root.is_dir() else ():
        if path.name.endswith((".part", ".old")):
            shutil.rmtree(path)
