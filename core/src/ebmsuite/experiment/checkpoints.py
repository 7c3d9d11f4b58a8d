"""Checkpoints: each directory is written under a temporary name, synced and renamed. Nothing is pickled."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ebmsuite.errors import DataError, UserError
from ebmsuite.experiment import provenance
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.chosen import best_step, newest
from ebmsuite.experiment.recipe import Recipe
from ebmsuite.experiment.run import Run, RunState
from ebmsuite.experiment.stored import STEP, checkpoint_steps, load_tensors
from ebmsuite.files import sync, write_text, writing
from ebmsuite.tree import to_host

__all__ = ["EARLIER_NAMES", "STEP", "Checkpoints", "best_step", "checkpoint_steps", "clean_leftovers", "newest"]


EARLIER_NAMES = {"reset_at": "born", "evaluated": "judged"}
"""Key of run.json -> its name until 0.1."""


class Checkpoints:
    """The checkpoint directories of a run folder: save, load and prune."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.root = folder / "checkpoints"
        self.recipe = recipe

    def save(self, run: Run, scheduled: bool = True) -> Path:
        """Save everything that a resumed run needs, and return the path. Must be called on all ranks."""
        ranks = run.ranks
        path = self.root / f"step-{run.step:08d}"
        aside = self.root / f".step-{run.step:08d}.part"
        if path.exists():  # the run resumed at this step; it is deterministic, so the content would be the same
            return path
        state = run.state(scheduled)
        try:
            self._write(run, path, aside, state)
        except BaseException:
            if ranks.main:  # a partial checkpoint takes the space that a resumed run needs
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
            with writing(path):  # a network disk may report only now that it is full
                for file in aside.iterdir():
                    sync(file)
                if run.log_path.exists():
                    sync(run.log_path)
                os.rename(aside, path)
                sync(self.root)

    def mark_evaluated(self, run: Run) -> None:
        """Record in the checkpoint of this step that its scores and pictures exist, so that a resume skips them."""
        path = self.root / f"step-{run.step:08d}"
        if run.ranks.main and path.is_dir():
            state = run.state(_read_state(path).scheduled)
            if run.log_path.exists():
                sync(run.log_path)  # the rows must be on disk before run.json states their length
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
        # rename first: a partially deleted directory must not look like a checkpoint
        path, aside = self.root / f"step-{step:08d}", self.root / f".step-{step:08d}.old"
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(path, aside)
        shutil.rmtree(aside)

    def forget_after(self, step: int) -> None:
        """Delete the checkpoints after ``step``, because these steps will be repeated."""
        for later in checkpoint_steps(self.root):
            if later > step:
                self._delete(later)

    def load(self, path: Path, run: Run, examples_changed: bool = False) -> RunState:
        """Restore a run from a checkpoint. Does not change metrics.jsonl.

        If the examples have changed since the checkpoint, now or at an earlier resume, chains that belong to single
        examples restart.
        """
        state, ranks = _read_state(path), run.ranks
        if state.world != ranks.world:
            raise UserError(
                f"{path}: saved by {state.world} processes, this run has {ranks.world}; "
                f"resume with --devices {state.world}"
            )
        trainer = run.experiment.trainer
        self.load_model(path, run.experiment, examples_changed)
        trainer.players.restore_optimisers(load_tensors(path / "optimisers.safetensors"))
        _restore_generators(run, load_tensors(path / f"generators-{ranks.rank}.safetensors"))
        run.take(state)
        return state

    def load_model(self, path: Path, experiment: Experiment, examples_changed: bool = False) -> int:
        """Restore the weights, the chains and the state of the trainer; return the step."""
        step = _read_state(path).step
        changes = provenance.read(self.root.parent).get("changed", [])
        examples_changed = examples_changed or any(change["step"] >= step for change in changes)
        players = experiment.trainer.players
        _load_nets(dict(players.items()), path / "players.safetensors")
        _load_nets(players.ema, path / "ema.safetensors")
        rank = experiment.ranks.rank
        chains = load_tensors(path / f"phases-{rank}.safetensors")
        for name, phase in experiment.trainer.phases.items():
            own = {k[len(name) + 1 :]: v for k, v in chains.items() if k.startswith(name + ".")}
            try:
                phase.chains.restore({} if examples_changed and phase.chains.per_example else own, experiment.device)
            except DataError as error:
                raise DataError(f"{path}, phases.{name}.chains: {error}") from error
        experiment.trainer.restore(load_tensors(path / "trainer.safetensors"))
        experiment.set_step(step)
        return step

    def good(self) -> Path:
        """The newest scheduled checkpoint, the target of a rollback. Checkpoints of interruptions do not count."""
        for step in reversed(checkpoint_steps(self.root)):
            path = self.root / f"step-{step:08d}"
            if _read_state(path).scheduled:
                return path
        raise DataError(f"{self.root}: a rollback needs a scheduled checkpoint, and there is none; train again")


def _read_state(path: Path) -> RunState:
    try:
        stored = json.loads((path / "run.json").read_text(encoding="utf-8"))
        if not isinstance(stored, dict) or not {"step", "log_bytes"} <= stored.keys():
            raise ValueError("incomplete")
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


def _net_state(nets: Mapping[str, torch.nn.Module]) -> dict[str, Tensor]:
    return {f"{name}/{key}": value for name, net in nets.items() for key, value in net.state_dict().items()}


def _load_nets(nets: Mapping[str, torch.nn.Module], path: Path) -> None:
    state = load_tensors(path)
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
    """Remove directories that a killed process was writing or deleting."""
    for path in root.iterdir() if root.is_dir() else ():
        if path.name.endswith((".part", ".old")):
            shutil.rmtree(path)
