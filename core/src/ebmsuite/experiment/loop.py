"""The loop of learning.

One process:       ``ebm train image/digits``
Two processes:     ``ebm train image/digits --devices 2``
A cluster:         ``accelerate launch --multi_gpu -m ebmsuite train image/mnist-short-run``
Where it stopped:  ``ebm train --resume runs/image-digits``

Everything that happens at a cadence (log, scores, pictures, checkpoints) is a function of the step and draws
from generators of its own, so a run that was interrupted, killed or looked at ends as one that was not.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from ebmsuite.errors import DiskFull, Interrupted, RecipeError, Stopped, UserError
from ebmsuite.experiment import launcher, pace, provenance
from ebmsuite.experiment.build import Experiment, pick_device
from ebmsuite.experiment.lock import lock
from ebmsuite.experiment.recipe import Recipe, read_recipe, read_stored
from ebmsuite.experiment.run import Checkpoints, Run, checkpoint_steps, clean_leftovers, newest
from ebmsuite.files import full_disk, write_text, writing
from ebmsuite.model import Model
from ebmsuite.plugins.registry import Registry
from ebmsuite.ranks import Ranks
from ebmsuite.scores import Extractor, Score

__all__ = ["fit", "new_folder", "score", "train"]

log = logging.getLogger("ebmsuite")


# -- the loop ------------------------------------------------------------------------------------------------------


def fit(run: Run, interrupted: Callable[[], bool] = lambda: False) -> str:
    """Learn until the budget is spent; gives "finished", "interrupted" or "stopped"."""
    recipe, trainer, hooks = run.recipe, run.experiment.trainer, run.registry.plugins
    checkpoints = Checkpoints(run.folder, recipe)
    if run.step == 0:
        checkpoints.save(run)
    while True:
        if not run.evaluated:  # also after a resume or a rollback: checkpoints are older than the scores of their step
            score_and_render(run)
            checkpoints.mark_evaluated(run)
        if run.step >= recipe.budget.steps:
            return "finished"
        t = run.step
        run.experiment.at(t)
        batches = {name: s.batch(t).to(run.experiment.device) for name, s in run.experiment.streams.items()}
        logs = trainer.step(t, batches, run.rng)

        run.step, run.evaluated = t + 1, False
        run.keep_routes()
        run.pending.append((run.step, logs))
        if run.ranks.main:
            hooks.call("ebm_step_end", run=run, step=run.step, logs=logs)

        last = run.step == recipe.budget.steps
        save = last or run.step % recipe.checkpoint.every == 0
        flush = save or run.step % recipe.log.every == 0 or any(due(run))
        if flush:
            move_logs(run)
            if save and not _finite(trainer.players):
                run.ask_rollback("a weight is not finite")
            run.rollback, run.stop = run.ranks.from_main((run.rollback, run.stop))
            if run.rollback is not None:
                roll_back(run, checkpoints)
                continue
        if save:
            path = checkpoints.save(run)
            if run.ranks.main:
                hooks.call("ebm_checkpoint_saved", run=run, path=path)
        # one process stops at once; several agree on it when they meet
        early = "stopped" if run.stop is not None else ""
        if not last and (run.ranks.world == 1 or flush) and any(run.ranks.all_values(interrupted())):
            early = "interrupted"
        if early:
            if not save:
                checkpoints.save(run, scheduled=False)
            return early


def move_logs(run: Run) -> None:
    """Move the numbers of the last steps to the host, as means over ranks, in one transfer."""
    rows, run.pending = run.pending, []
    if not rows:
        return
    flat = torch.stack(
        [torch.as_tensor(v, dtype=torch.float32, device=run.experiment.device) for _, row in rows for v in row.values()]
    )
    values = iter(run.ranks.mean(flat).tolist())
    moved = [(step, {name: next(values) for name in row}) for step, row in rows]
    if run.ranks.main:
        run.registry.plugins.call("ebm_logged", run=run, rows=moved)


def roll_back(run: Run, checkpoints: Checkpoints) -> None:
    """Back to the last good checkpoint with lower learning rates and fresh randomness, or stop."""
    asked, run.rollback = run.rollback, None
    assert asked is not None
    players = run.experiment.trainer.players
    step, factor, events, path = run.step, players.lr_factor, run.events, checkpoints.good()
    # the decision is not saved: a run killed before its next checkpoint repeats it, being deterministic
    state = checkpoints.load(path, run)
    if len(events) >= asked.limit:
        raise Stopped(
            f"{run.recipe.recipe} diverged at step {step}: {asked.reason}. {len(events)} rollbacks with lower "
            f"learning rates (now x{factor:g}) did not help. {asked.advice} The last good checkpoint is {path}"
        )
    known, players.lr_factor = len(run.events), factor * asked.lr_factor
    event = {
        "step": step, "event": "rollback", "reason": asked.reason, "to": run.step, "lr_factor": players.lr_factor,
    }  # fmt: skip
    run.events = [*events, event]
    run.seed_generators()
    if run.ranks.main:
        checkpoints.forget_after(run.step)
        run.cut_log(state.log_bytes)
        for row in run.events[known:]:
            run.append(row)
        log.warning("step %d: %s; back to step %d, learning rates x%g", step, asked.reason, run.step, players.lr_factor)


def _finite(players: Mapping[str, torch.nn.Module]) -> bool:
    return all(bool(torch.isfinite(p).all()) for net in players.values() for p in net.parameters())


# -- scores and pictures -------------------------------------------------------------------------------------------


def score(model: Model, spec: Mapping[str, Any], data: Any, registry: Registry, seed: int) -> dict[str, Score]:
    """Scores of one metric, under its label (or its name); several as LABEL/KEY."""
    metric, label = registry.build("metric", spec), spec.get("label") or spec["name"]
    result = metric(model, data, model.generator(seed), spec["n"])
    scores = {label: result} if isinstance(result, Score) else {f"{label}/{key}": s for key, s in result.items()}
    changes = [change for splits in model.streams.values() for change in getattr(splits, "changes", ())]
    if changes:
        changed = {"data changed since the run": "; ".join(changes)}
        scores = {key: replace(s, protocol={**s.protocol, **changed}) for key, s in scores.items()}
    return scores


def due(run: Run) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The metrics and the renderers whose turn it is at this step; all of them at the last."""

    def now(spec: Mapping[str, Any]) -> bool:
        last = run.step == run.recipe.budget.steps
        return run.step > 0 and (last or bool(spec["every"] and run.step % spec["every"] == 0))

    return [m for m in run.recipe.metrics if now(m)], [r for r in run.recipe.render if now(r)]


def score_and_render(run: Run) -> None:
    """Score and picture the model if it is time to, on rank 0."""
    metrics, renderers = due(run)
    if run.ranks.main:
        if renderers:
            render(run, renderers)
        if metrics:
            score_all(run, metrics)
    run.evaluated = True
    if metrics or renderers:
        run.ranks.wait()


def _seed(run: Run, name: str) -> int:
    return zlib.crc32(f"{run.recipe.seed}/{run.step}/{name}".encode())


def score_all(run: Run, metrics: Sequence[Mapping[str, Any]]) -> None:
    """Score the model as it stands."""
    scores: dict[str, Score] = {}
    with _as_model(run) as model:
        for spec in metrics:
            scores |= score(model, spec, model.data, run.registry, _seed(run, spec["label"] or spec["name"]))
    best = run.recipe.checkpoint.best
    if best not in (None, *scores) and any(best.startswith(m["label"] or m["name"]) for m in metrics if best):
        raise RecipeError(f'checkpoint.best: there is no score "{best}", but {", ".join(scores)}')
    run.append({"step": run.step, "scores": {k: s.__dict__ for k, s in scores.items()}})
    run.registry.plugins.call("ebm_evaluated", run=run, step=run.step, scores=scores)


def render(run: Run, renderers: Sequence[Mapping[str, Any]]) -> None:
    """Make pictures of the model as it stands."""
    folder = run.folder / "samples" / f"step-{run.step:08d}"
    folder.mkdir(parents=True, exist_ok=True)
    files: list[Path] = []
    with writing(folder), _as_model(run) as model:
        for spec in renderers:
            renderer = run.registry.build("renderer", spec)
            files += renderer(model, folder, model.generator(_seed(run, spec["name"])), spec["n"])
    run.registry.plugins.call("ebm_rendered", run=run, step=run.step, files=files)


@contextmanager
def _as_model(run: Run) -> Iterator[Model]:
    weights = "ema" if run.experiment.trainer.players.ema else "raw"
    device = run.experiment.device
    with torch.random.fork_rng([device] if device.type == "cuda" else []), run.experiment.in_use():
        yield Model(run.experiment, run.step, weights)


# -- the command ---------------------------------------------------------------------------------------------------


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
    """Train a recipe (a name, a YAML file, a mapping), or go on with a run; gives the run folder.

    ``overrides`` are ``key=value``. A run is resumed with the examples that it was created with; other examples are a
    `DataError` unless ``allow_changed_data``, which the run's log records. Raises `Stopped` when the stability guard
    gave up and `Interrupted` when a signal ended the run; both leave a folder that ``resume`` takes.
    """
    registry = registry or Registry()
    registry.plugins.load_all()
    folder: Path | None
    if allow_changed_data and resume is None:
        raise UserError("--allow-changed-data belongs to --resume: a new run has no data to compare with")
    if resume is not None:
        folder = Path(resume)
        if recipe is not None or budget is not None or out is not None:
            raise UserError("--resume goes on with the recipe, budget and folder of the run: give no other")
        resolved = read_stored(folder, registry, overrides)
    elif recipe is None:
        raise UserError("name a recipe (see `ebm list recipe`) or a run to --resume")
    else:
        resolved = read_recipe(recipe, registry, overrides, budget)
        folder = Path(out) if out is not None else None
    if resolved.compute.devices > 1 and launcher.check() is None:
        again = None if resume is None else [*overrides, *["--allow-changed-data"] * allow_changed_data]
        return launch(resolved, folder or new_folder(resolved.recipe), again)
    return _train_here(resolved, folder, registry, resume is not None, quiet, allow_changed_data)


def _train_here(
    recipe: Recipe, out: Path | None, registry: Registry, resume: bool, quiet: bool, allow_changed_data: bool
) -> Path:
    device, ranks = _join(pick_device(recipe.compute.device))
    folder: Path = ranks.from_main(out or new_folder(recipe.recipe))
    if not resume and (folder / "recipe.yaml").exists():
        raise UserError(f"{folder}: already holds a run; use --resume {folder}, or another --out")
    experiment = Experiment.with_data(recipe, registry, device, ranks)
    datasets = {name: stream.dataset for name, stream in experiment.streams.items()}
    data = provenance.describe(datasets, experiment.condition)
    changes = provenance.compare(folder, data, allow_changed_data) if resume else []
    for kind, specs in (("metric", recipe.metrics), ("renderer", recipe.render)):
        for spec in specs:  # what is missing for them is said now, not after the last step
            made = registry.build(kind, spec)
            for extractor in vars(made).values() if ranks.main and hasattr(made, "__dict__") else ():
                if isinstance(extractor, Extractor):
                    extractor.prepare(next(iter(experiment.splits.values())))
    ranks.wait()  # all have seen that the folder is free, or that the data are the run's
    held = None
    if ranks.main:
        folder.mkdir(parents=True, exist_ok=True)
        held = lock(folder)
    try:
        fresh = not (resume and checkpoint_steps(folder / "checkpoints"))
        run = _begin(Run(folder, experiment, registry), data, changes, resume)
        with pace.threads(run, fresh):
            if fresh:
                pace.check_precision(run)
            return _go_on(run, quiet)
    finally:
        experiment.close()
        if held is not None:
            held.close()


def _join(device: torch.device) -> tuple[torch.device, Ranks]:
    """Meet the other processes, if a launcher started several; the device of this one, and its place among them."""
    found = launcher.check()
    if found is not None:
        from accelerate import PartialState

        os.environ |= {"RANK": str(found.rank), "WORLD_SIZE": str(found.world)}  # MPI has names of its own for these
        with launcher.waiting(found):
            # later, the others wait while rank 0 scores the model, which may take long
            processes = PartialState(cpu=device.type == "cpu", timeout=timedelta(hours=12))
        device = processes.device
    ranks = Ranks()
    if found is not None and (ranks.rank, ranks.world) != found:
        raise UserError(
            f"the environment says process {found.rank} of {found.world}, the process group {ranks.rank} of "
            f"{ranks.world}; on GPUs a launcher must also set LOCAL_RANK"
        )
    return device, ranks


def _begin(run: Run, data: Mapping[str, Any], changes: Sequence[str], resume: bool) -> Run:
    """The run at its first step, or at that of its newest checkpoint.

    Nothing of an earlier process is overwritten before its checkpoint has been loaded.
    """
    folder, ranks, checkpoints = run.folder, run.ranks, Checkpoints(run.folder, run.recipe)
    if ranks.main:
        clean_leftovers(checkpoints.root)
    ranks.wait()
    state = None
    if resume and checkpoint_steps(checkpoints.root):
        state = checkpoints.load(newest(folder), run, same_examples=not changes)
        run.take_routes()
    if ranks.main:
        run.cut_log(state.log_bytes if state is not None else 0)
        if changes:
            event = {"step": run.step, "event": "data", "reason": "; ".join(changes)}
            data = {**data, "changed": [*provenance.read(folder).get("changed", []), event]}
            run.append(event)
            log.warning("step %d: resumed with changed data: %s", run.step, event["reason"])
        if changes or not resume or not (folder / provenance.FILE).exists():
            write_text(folder / provenance.FILE, json.dumps(data, indent=1))
        write_text(folder / "recipe.yaml", run.recipe.as_yaml())  # last: it makes the folder a run
    ranks.wait()
    return run


def _go_on(run: Run, quiet: bool) -> Path:
    """Learn with the recipe's callbacks, until the budget is spent."""
    recipe, registry, ranks = run.recipe, run.registry, run.ranks
    if quiet and ranks.main:  # without the progress callback, which says what is used
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
        with _signals() as interrupted, writing(run.folder):
            if ranks.main:
                plugins.call("ebm_run_start", run=run)
            outcome = fit(run, interrupted)
    except DiskFull as error:
        problem = error
        raise DiskFull(f"{error}, then go on with: ebm train --resume {run.folder}") from error
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
            f"interrupted at step {run.step} of {recipe.budget.steps}; go on with: ebm train --resume {run.folder}"
        )
    return run.folder


def _tell_end(run: Run, outcome: str, problem: BaseException | None) -> None:
    """Call the hooks of the end. What ended the run is its error, so an error of a hook is then only logged."""
    try:
        run.registry.plugins.call("ebm_run_end", run=run, outcome=outcome)
    except Exception as error:
        if problem is None:
            raise
        if not (full_disk(problem) and full_disk(error)):  # the report does not fit on a full disk either
            log.warning("%s", error)


def new_folder(recipe: str) -> Path:
    """runs/NAME, or runs/NAME-2, ... when it is taken."""
    base = Path("runs") / recipe.replace("/", "-")
    number, folder = 1, base
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


@contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask for a stop after this step; a second one does not wait."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if seen:
            raise KeyboardInterrupt("stopped at once; the last checkpoint stands")
        seen.append(number)

    try:
        before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not in the main thread: signals are someone else's
        before = {}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def launch(recipe: Recipe, folder: Path, resume: Sequence[str] | None) -> Path:
    """Run the recipe in several processes on this machine; ``resume`` are the changes to a run that goes on."""
    count = recipe.compute.devices
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    kept = {k: v for k, v in os.environ.items() if k not in launcher.LEFT_OVER}
    environment = {
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // count)), **kept,
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count), "EBMSUITE_LAUNCHED": "1",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as aside:
        file = Path(aside) / "recipe.yaml"
        with writing(file):
            file.write_text(recipe.as_yaml(), encoding="utf-8")
        target = [str(file), "--out", str(folder)] if resume is None else ["--resume", str(folder), *resume]
        command = [sys.executable, "-m", "ebmsuite", "train", *target]
        processes = [
            subprocess.Popen(command, start_new_session=True, env=environment | {"RANK": str(r), "LOCAL_RANK": str(r)})
            for r in range(count)
        ]
        try:
            with _signals() as interrupted:
                told = False
                while any(p.poll() is None for p in processes) and not any(p.poll() for p in processes):
                    if interrupted() and not told:
                        told = True
                        for process in processes:
                            process.terminate()  # each finishes its step, and they save together
                    time.sleep(0.05)
                if told:
                    for process in processes:
                        process.wait()
                codes = [p.poll() for p in processes]  # None: killed below, because another failed
        finally:
            for process in processes:
                process.kill()
                process.wait()
    if told and all(code == 130 for code in codes):
        raise Interrupted(f"go on with: ebm train --resume {folder}")
    if any(codes):
        raise RecipeError(f"a process of {count} ended with status {next(c for c in codes if c)}; see above")
    return folder
