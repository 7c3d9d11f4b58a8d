"""Train a recipe, or resume a run.

One process:         ``ebm train image/digits``
Two processes:       ``ebm train image/digits --devices 2``
A cluster:           ``accelerate launch --multi_gpu -m ebmsuite train image/mnist-short-run``
Resume a run:        ``ebm train --resume runs/image-digits``
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch

from ebmsuite.errors import DiskFull, Interrupted, Stopped, UserError
from ebmsuite.experiment import launch, pace, provenance
from ebmsuite.experiment.build import Experiment, pick_device
from ebmsuite.experiment.checkpoints import Checkpoints, checkpoint_steps, clean_leftovers, newest
from ebmsuite.experiment.launch import start_processes, stop_signals
from ebmsuite.experiment.lock import lock
from ebmsuite.experiment.loop import fit
from ebmsuite.experiment.recipe import Recipe, read_recipe, read_stored
from ebmsuite.experiment.run import Run
from ebmsuite.files import full_disk, write_text, writing
from ebmsuite.plugins.registry import Registry
from ebmsuite.ranks import Ranks
from ebmsuite.scores import Prepared

__all__ = ["new_folder", "train"]

log = logging.getLogger("ebmsuite")


def train(
    recipe: str | Path | Mapping[str, Any] | None = None,
    *overrides: str,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    budget: str | None = None,
    quiet: bool = False,
    registry: Registry | None = None,
    allow_changed_data: bool = False,
) -> Path:
    """Train a recipe (a name, a YAML file or a mapping), or resume a run; return the run folder.

    ``overrides`` are strings ``key=value``. A resumed run needs the examples that it was created with: other examples
    raise a `DataError`, unless ``allow_changed_data`` is set; the log of the run then records the change. Raises
    `Stopped` if the run diverged or a callback stopped it, and `Interrupted` if a signal ended it. Both leave a folder
    that can be resumed.
    """
    registry = registry or Registry()
    registry.plugins.load_all()
    folder: Path | None
    if allow_changed_data and resume is None:
        raise UserError("--allow-changed-data needs --resume: a new run has no earlier data to compare with")
    if resume is not None:
        folder = Path(resume)
        if recipe is not None or budget is not None or out is not None:
            raise UserError("--resume uses the recipe, budget and folder of the run: remove RECIPE, --budget and --out")
        resolved = read_stored(folder, registry, overrides)
    elif recipe is None:
        raise UserError("name a recipe (see `ebm list recipe`) or a run to --resume")
    else:
        resolved = read_recipe(recipe, registry, overrides, budget)
        folder = Path(out) if out is not None else None
    if resolved.compute.devices > 1 and launch.check() is None:
        again = None if resume is None else [*overrides, *["--allow-changed-data"] * allow_changed_data]
        return start_processes(resolved, folder or new_folder(resolved.recipe), again)
    return _train_here(resolved, folder, registry, resume is not None, quiet, allow_changed_data)


def _train_here(
    recipe: Recipe, out: Path | None, registry: Registry, resume: bool, quiet: bool, allow_changed_data: bool
) -> Path:
    device, ranks = _join(pick_device(recipe.compute.device))
    folder: Path = ranks.from_main(out or new_folder(recipe.recipe))
    if not resume and (folder / "recipe.yaml").exists():
        raise UserError(f"{folder}: already holds a run; use --resume {folder}, or another --out")
    begun = resume and bool(checkpoint_steps(folder / "checkpoints"))
    experiment = Experiment.with_data(recipe, registry, device, ranks, begun)
    datasets = {name: stream.dataset for name, stream in experiment.streams.items()}
    data = provenance.describe(datasets, experiment.condition)
    changes = provenance.compare(folder, data, allow_changed_data) if resume else []
    for kind, specs in (("metric", recipe.metrics), ("renderer", recipe.render)):
        for spec in specs:  # report missing packages and weights now, not after the last step
            made = registry.build(kind, spec)
            if ranks.main and isinstance(made, Prepared):
                made.prepare(next(iter(experiment.splits.values())))
    ranks.wait()  # all processes have checked that the folder is free, or that the data are those of the run
    held = None
    if ranks.main:
        folder.mkdir(parents=True, exist_ok=True)
        held = lock(folder)
    try:
        run = _begin(Run(folder, experiment, registry), data, changes, resume)
        with pace.threads(run, not begun):
            if not begun:
                pace.choose_layout(run)
                pace.check_precision(run)
            return _go_on(run, quiet)
    finally:
        experiment.close()
        if held is not None:
            held.close()


def _join(device: torch.device) -> tuple[torch.device, Ranks]:
    """Connect to the other processes, if a launcher started several; return the device and ranks of this one."""
    found = launch.check()
    if found is not None:
        from accelerate import PartialState

        os.environ |= {"RANK": str(found.rank), "WORLD_SIZE": str(found.world)}  # MPI uses other names for these
        with launch.waiting(found):
            # a long timeout: later, the other processes wait while rank 0 scores the model
            processes = PartialState(cpu=device.type == "cpu", timeout=timedelta(hours=12))
        device = processes.device
    ranks = Ranks()
    if found is not None and (ranks.rank, ranks.world) != found:
        raise UserError(
            f"the environment says process {found.rank} of {found.world}, but the process group says {ranks.rank} of "
            f"{ranks.world}; on GPUs a launcher must also set LOCAL_RANK"
        )
    return device, ranks


def _begin(run: Run, data: Mapping[str, Any], changes: Sequence[str], resume: bool) -> Run:
    """Prepare the run folder and return the run, at its first step or at its newest checkpoint.

    Overwrites no file of an earlier process before its checkpoint has been loaded.
    """
    folder, ranks, checkpoints = run.folder, run.ranks, Checkpoints(run.folder, run.recipe)
    if ranks.main:
        clean_leftovers(checkpoints.root)
    ranks.wait()
    state = None
    if resume and checkpoint_steps(checkpoints.root):
        pace.take_layout(run)
        state = checkpoints.load(newest(folder), run, examples_changed=bool(changes))
        run.take_routes()
    if ranks.main:
        if changes:
            event = {"step": run.step, "event": "data", "reason": "; ".join(changes)}
            data = {**data, "changed": [*provenance.read(folder).get("changed", []), event]}
            log.warning("step %d: resumed with changed data: %s", run.step, event["reason"])
        if changes or not resume or not (folder / provenance.FILE).exists():
            write_text(folder / provenance.FILE, json.dumps(data, indent=1))
        run.cut_log(state.log_bytes if state is not None else 0)
        write_text(folder / "recipe.yaml", run.recipe.as_yaml())  # last, because this file makes the folder a run
    ranks.wait()
    return run


def _go_on(run: Run, quiet: bool) -> Path:
    """Train with the callbacks of the recipe until the budget is used up; return the run folder."""
    recipe, registry, ranks = run.recipe, run.registry, run.ranks
    if quiet and ranks.main:  # the progress callback, which reports the skipped inputs, is off
        for name, stream in provenance.read(run.folder).get("streams", {}).items():
            if stream["skipped"]:
                log.warning("%s", provenance.line(f"data.{name}", stream))
    callbacks = [] if not ranks.main else [
        (registry.build("callback", spec), spec["name"])
        for spec in recipe.watch
        if spec.get("enabled", True) and not (quiet and spec["name"] == "progress")
    ]  # fmt: skip
    plugins = registry.plugins
    for callback, name in callbacks:
        plugins.add(callback, f"watch:{name}")
    outcome = "failed"
    problem: BaseException | None = None
    try:
        with stop_signals() as interrupted, writing(run.folder):
            if ranks.main:
                plugins.call("ebm_run_start", run=run)
            outcome = fit(run, interrupted)
    except DiskFull as error:
        problem = error
        raise DiskFull(f"{error}, then resume with: ebm train --resume {run.folder}") from error
    except BaseException as error:
        problem, outcome = error, "stopped" if isinstance(error, Stopped) else "failed"
        raise
    finally:
        try:
            if ranks.main:
                _tell_end(run, outcome, problem)
        finally:
            for callback, _ in callbacks:
                plugins.remove(callback)
    if outcome == "stopped":
        raise Stopped(f"{recipe.recipe} stopped at step {run.step}: {run.stop}")
    if outcome == "interrupted":
        raise Interrupted(
            f"interrupted at step {run.step} of {recipe.budget.steps}; resume with: ebm train --resume {run.folder}"
        )
    return run.folder


def _tell_end(run: Run, outcome: str, problem: BaseException | None) -> None:
    """Call the hooks of the end. If a problem ended the run, errors of these hooks are only logged."""
    try:
        run.registry.plugins.call("ebm_run_end", run=run, outcome=outcome)
    except Exception as error:
        if problem is None:
            raise
        if not (full_disk(problem) and full_disk(error)):  # a full disk has no room for the report; say it once
            log.warning("%s", error)


def new_folder(recipe: str) -> Path:
    """The path runs/NAME, or runs/NAME-2, runs/NAME-3, ... if it exists."""
    base = Path("runs") / recipe.replace("/", "-")
    number, folder = 1, base
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder
