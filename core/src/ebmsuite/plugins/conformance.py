"""The conformance checks for plugins: ``ebm plugins check NAME``, or `ebmsuite.plugins.testing` in tests."""

from __future__ import annotations

import inspect
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import torch
from safetensors.torch import load_file

from ebmsuite.dataset import Codec, Dataset, Films, Shows
from ebmsuite.errors import Interrupted, MissingData, PluginError
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.checkpoints import newest
from ebmsuite.experiment.recipe import WATCH, Recipe, read_recipe
from ebmsuite.experiment.scoring import score
from ebmsuite.experiment.train import train
from ebmsuite.files import write_text
from ebmsuite.hookspecs import KINDS, Component, hookimpl
from ebmsuite.model import Model
from ebmsuite.pictures.events import draw, film_events
from ebmsuite.plugins.registry import Registry, import_target
from ebmsuite.ranks import Ranks
from ebmsuite.sampling import Phase, Start
from ebmsuite.space import Batch
from ebmsuite.tree import take
from ebmsuite.values import plain

__all__ = ["Outcome", "check_plugin", "interrupted_run", "on_two_processes", "same_end", "watched_by"]

LIMIT = 600
"""The time limit of all runs on two processes together, in seconds."""
ROUNDS = ("anneal", "recovery_steps", "recovery_draws")
"""Settings of trainers that multiply the steps of a phase when samples are drawn."""


@dataclass(frozen=True)
class Outcome:
    """The result of one check: "ok", "failed", or "skipped" because data or weights are not on this machine."""

    check: str
    state: Literal["ok", "failed", "skipped"]
    detail: str = ""


def check_plugin(name: str, fast: bool = False) -> list[Outcome]:
    """Check an installed plugin with its recipes and examples.

    The checks are: it registers without importing torch; every target can be imported and its settings can be read;
    energies return [B] finite values that are differentiable and do not depend on other rows of the batch; a learning
    step runs; what a codec draws has the right type and shape and depends on the event alone; metrics are finite, and
    zero on identical sets if their Component says so. Unless ``fast``, the first recipe and the example of every
    trainer must also end in the same state when they are interrupted and resumed, and must run on two processes.
    """
    registry = Registry()
    kit = _Kit()
    kit.check("registers without torch", lambda: _registers_without_torch(name))
    loaded = registry.plugins.load(name)
    if not loaded:
        record = registry.plugins.record(name)
        kit.outcomes.append(Outcome("loads", "failed", record.error if record else "is not installed"))
        return kit.outcomes
    offers = {kind: registry.plugins.components(name, kind) for kind in KINDS}
    for kind, components in offers.items():
        for c in components:
            kit.check(f"{kind} {c.name} resolves", lambda k=kind, c=c: _resolves(registry, k, c))  # type: ignore[misc]
            kit.check(f"{kind} {c.name} is described", lambda c=c: _is_described(registry, name, c))  # type: ignore[misc]
    recipes: list[Recipe] = []
    for c in offers["recipe"]:
        kit.check(f"recipe {c.name} is complete", lambda c=c: recipes.append(_small(c.name, registry)))  # type: ignore[misc]
    examples: list[Recipe] = []
    for c in offers["trainer"]:
        kit.check(f"trainer {c.name} has an example", lambda c=c: examples.append(_example(c, registry)))  # type: ignore[misc]
    zero = {c.name for c in offers["metric"] if c.zero_on_identical}
    for recipe in [*recipes, *examples]:
        kit.check(f"{recipe.recipe} learns a step", lambda r=recipe: _learns(r, registry, zero))  # type: ignore[misc]
    if not fast:
        run = [*recipes[:1], *examples]
        for recipe in run:
            kit.check(f"{recipe.recipe} resumes exactly", lambda r=recipe: _resumes(r, registry))  # type: ignore[misc]
        with tempfile.TemporaryDirectory() as folder:
            failed = on_two_processes(run, Path(folder))
        for recipe in run:
            message = failed.get(recipe.recipe, "")
            kit.check(f"{recipe.recipe} runs on two processes", lambda m=message: _without(m))  # type: ignore[misc]
    return kit.outcomes


class _Kit:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def check(self, what: str, do: Callable[[], Any]) -> None:
        try:
            do()
        except MissingData as error:
            self.outcomes.append(Outcome(what, "skipped", str(error)))
        except Exception as error:  # any failure of a check is an outcome
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            self.outcomes.append(Outcome(what, "failed", f"{kind}{error}"))
        else:
            self.outcomes.append(Outcome(what, "ok"))


def _true(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _without(message: str) -> None:
    """Raise the failure that another process reported; an empty message is no failure."""
    missing = f"{MissingData.__name__}: "
    if message.startswith(missing):
        raise MissingData(message.removeprefix(missing))
    _true(not message, message)


def watched_by(*names: str) -> str:
    """The override that disables the suite's callbacks except those with these names."""
    return f"watch={json.dumps([{'name': name, 'enabled': name in names} for name in WATCH])}"


# -- the checks ----------------------------------------------------------------------------------------------------


def _registers_without_torch(name: str) -> None:
    code = (
        "import sys; from ebmsuite.plugins.discovery import Plugins; p = Plugins(); "
        f"ok = p.load({name!r}); r = p.record({name!r}); "
        "assert ok, r.error if r else 'not installed'; "
        "heavy = [m for m in ('torch', 'torchvision', 'transformers', 'rdkit', 'matplotlib') if m in sys.modules]; "
        "assert not heavy, f'the plugin module imports {heavy}'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    _true(
        done.returncode == 0,
        done.stderr.strip().splitlines()[-1].removeprefix("AssertionError: ") if done.stderr else "failed",
    )


def _resolves(registry: Registry, kind: str, component: Component) -> None:
    if kind == "recipe":
        return  # `check_plugin` reads recipes below
    if kind == "case":
        import_target(component.target)
        return
    if kind == "codec":
        _writes_with_a_batch(component.name, registry.resolve(kind, component.name))
    if kind == "sampler":
        target = registry.resolve(kind, component.name)
        for key in ("continuous", "adjusted"):
            _true(isinstance(getattr(target, key, None), bool), f"a sampler must declare {key}: ClassVar[bool]")
    for parameter in registry.parameters(kind, component.name).values():
        if not parameter.required:
            plain_default = plain(parameter.default)
            _true(
                isinstance(plain_default, int | float | str | bool | list | dict | type(None)),
                f"the default of {parameter.name} cannot be written in a recipe: {parameter.default!r}",
            )


def _writes_with_a_batch(name: str, codec: Any) -> None:
    """Raise a `PluginError` for a codec whose ``write`` takes events and path only, as codecs once did."""
    signature = inspect.signature(codec.write)
    try:
        signature.bind("self", "x", "path", "batch")
        signature.bind("self", "x", "path")
    except TypeError as error:
        raise PluginError(
            f'codec "{name}": write{signature} must be write(self, x, path, batch=None); the batch has the condition '
            "and the meta of the rows of x"
        ) from error


def _is_described(registry: Registry, plugin: str, component: Component) -> None:
    """Check that the summary makes sense alone, and that the paper is in a bibliography."""
    words = component.summary.lower().split()
    _true(bool(words), "the summary is empty")
    # "ebm list" shows one component per line: a summary must not refer to the line above
    _true(
        words[:2] != ["the", "same"] and words != ["both"],
        f'the summary "{component.summary}" refers to another',
    )
    if component.paper:
        known = registry.citation(component.paper, plugin) is not None
        _true(known, f'the paper "{component.paper}" is in no bibliography; add it to ebm_papers')


def _small(recipe: str | Mapping[str, Any], registry: Registry) -> Recipe:
    """The recipe with two steps, small batches, few samples per metric and, if its data have ``n``, 400 examples."""
    full = read_recipe(recipe, registry)
    changes = ["budget.steps=2", f"budget.batch={min(8, full.budget.batch)}", "log.every=1"]
    changes += [f"data.{k}.n={min(400, s['n'] or 400)}" for k, s in full.data.items() if "n" in s]
    changes += [f"metrics.{i}.n={min(24, spec['n'])}" for i, spec in enumerate(full.metrics)]
    changes += [f"metrics.{i}.every=null" for i in range(len(full.metrics))]
    changes += [f"render.{i}.n={min(8, spec['n'])}" for i, spec in enumerate(full.render)]
    changes += [f"phases.{p}.steps={min(3, s['steps'])}" for p, s in full.phases.items() if isinstance(s["steps"], int)]
    changes += [f"trainer.{key}={min(3, n)}" for key in ROUNDS if isinstance(n := full.trainer.get(key), int)]
    changes += [watched_by("log"), "checkpoint.best=null", "compute.device=cpu", "compute.devices=1"]
    # two runs that are compared must compute in the same way, whatever measures faster
    changes += [f"compute.threads={torch.get_num_threads()}", "compute.layout=contiguous", "compute.fast=eager"]
    return read_recipe(recipe, registry, changes)


def _example(trainer: Component, registry: Registry) -> Recipe:
    _true(trainer.example is not None, "example= is missing")
    _true(isinstance(trainer.example, Mapping), "example= must be a recipe as a mapping")
    return _small(trainer.example or {}, registry)


def _learns(recipe: Recipe, registry: Registry, zero: set[str]) -> None:
    experiment = Experiment.with_data(recipe, registry, torch.device("cpu"), Ranks())
    try:
        rng = torch.Generator().manual_seed(0)
        batches = {k: s.batch(0) for k, s in experiment.streams.items()}
        experiment.set_step(0)
        draws = _remembered(experiment.trainer.phases)
        logs = experiment.trainer.step(0, batches, rng)
        for key, value in logs.items():
            _true(value.dim() == 0 and bool(torch.isfinite(value)), f"log {key} is {value}")
        first = next(iter(batches.values()))
        with experiment.trainer.players.in_mode(train=False):
            x = experiment.trainer.sample(len(first), rng, first.condition)
        _true(bool(torch.isfinite(x).all()), "the samples are not finite")
        for name, phase in experiment.trainer.phases.items():
            _true(name in draws, f"the phase {name} was drawn neither in a step nor for samples")
            _energy_is_sound(phase.energy, draws[name].x, draws[name].condition, name)
        if experiment.codec is not None:
            _pictures_are_sound(experiment.codec, first)
        with experiment.trainer.players.in_mode(train=False):
            _scores(Model(experiment, 1, "raw"), next(iter(experiment.splits.values())), recipe, registry, zero)
    finally:
        experiment.close()


def _scores(model: Model, data: Mapping[str, Dataset], recipe: Recipe, registry: Registry, zero: set[str]) -> None:
    for spec in recipe.metrics:
        for key, s in score(model, spec, data, registry, 0).items():
            _true(math.isfinite(s.value), f"{key} is {s.value}")
        if spec["name"] in zero:
            same = score(_Echo(model, data[spec.get("set", "test")]), spec, data, registry, 0)  # type: ignore[arg-type]
            for key, s in same.items():
                _true(abs(s.value) < 1e-3, f"{key} of a set against itself is {s.value}")


def _remembered(phases: Mapping[str, Phase]) -> dict[str, Start]:
    """Record where the chains of each phase start from now on: phase -> its latest `Start`."""
    starts: dict[str, Start] = {}
    for name, phase in phases.items():

        def start(*given: Any, name: str = name, of: Callable[..., Start] = phase.chains.start, **named: Any) -> Start:
            starts[name] = of(*given, **named)
            return starts[name]

        phase.chains.start = start  # type: ignore[method-assign]
    return starts


def _energy_is_sound(energy: Any, x: torch.Tensor, condition: Any, name: str) -> None:
    x = x.detach().requires_grad_()
    was = energy.training
    energy.eval()
    value = energy(x, condition)
    _true(value.shape == (x.shape[0],), f"the energy of {name} has shape {tuple(value.shape)}, not ({x.shape[0]},)")
    _true(value.dtype in (torch.float32, torch.float64), f"the energy of {name} is {value.dtype}")
    _true(bool(torch.isfinite(value).all()), f"the energy of {name} is not finite")
    (gradient,) = torch.autograd.grad(value.sum(), x)
    _true(bool(torch.isfinite(gradient).all()), f"the gradient of the energy of {name} is not finite")
    alone = energy(x[:1].detach(), take(condition, slice(1)))
    close = torch.allclose(alone, value[:1].detach(), rtol=1e-4, atol=1e-4)
    _true(close, f"the energy of {name} of one row depends on the other rows")
    energy.train(was)


def _pictures_are_sound(codec: Codec, batch: Batch) -> None:
    """Check what the codec draws: its type and shape, that rows are independent, and that equal events look equal."""
    if isinstance(codec, Shows):
        # `draw` and `film_events` check the type, the shape and the number of rows
        _drawn_by_row("show", lambda b: draw(codec, b.x, b), batch)
    if isinstance(codec, Films):
        _drawn_by_row("frames", lambda b: film_events(codec, b.x), batch)


def _drawn_by_row(method: str, by: Callable[[Batch], torch.Tensor], batch: Batch) -> None:
    whole = by(batch)
    _true(torch.equal(whole, by(batch)), f"{method}: two drawings of the same events differ")
    alone = by(next(batch.parts(1)))
    _true(torch.equal(alone, whole[:1]), f"{method}: the picture of one event depends on the other events")


class _Echo:
    """A model whose samples are the set that it is compared with."""

    def __init__(self, model: Model, dataset: Dataset) -> None:
        self._model, self._dataset = model, dataset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def sample(self, n: int, *args: Any, **kwargs: Any) -> torch.Tensor:
        index = torch.arange(min(n, len(self._dataset)))
        return self._dataset.batch(index, torch.zeros_like(index)).x

    def sample_for(self, batch: Batch, k: int, *args: Any, **kwargs: Any) -> torch.Tensor:
        return batch.x[:, None].repeat_interleave(k, 1)


class _InterruptAt:
    def __init__(self, step: int) -> None:
        self.step = step

    @hookimpl
    def ebm_step_end(self, run: Any, step: int) -> None:
        if step == self.step:
            signal.raise_signal(signal.SIGTERM)


def interrupted_run(recipe: Recipe, out: Path, step: int, registry: Registry) -> Path:
    """Train until a SIGTERM at ``step``, then resume to the end; return the run folder."""
    callback = _InterruptAt(step)
    registry.plugins.add(callback, "testing:interrupt")
    try:
        train(plain(recipe), out=out, registry=registry, quiet=True)
    except Interrupted:
        pass
    else:
        raise AssertionError("the run was not interrupted")
    finally:
        registry.plugins.remove(callback)
    return train(resume=out, registry=registry, quiet=True)


def same_end(a: Path, b: Path) -> None:
    """Raise an AssertionError unless the last checkpoints of two runs hold the same tensors, bit for bit."""
    one, other = newest(a), newest(b)
    _true(one.name == other.name, f"{one.name} against {other.name}")
    for file in sorted(one.glob("*.safetensors")):
        left, right = load_file(file), load_file(other / file.name)
        _true(left.keys() == right.keys(), f"{file.name} holds other names")
        for key, value in left.items():
            _true(torch.equal(value, right[key]), f"{file.name}: {key} differs")


def _resumes(recipe: Recipe, registry: Registry) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = train(plain(recipe), out=Path(folder) / "whole", registry=registry, quiet=True)
        same_end(whole, interrupted_run(recipe, Path(folder) / "parts", 1, registry))


def on_two_processes(recipes: Sequence[Recipe], folder: Path) -> dict[str, str]:
    """Train recipes on two processes, each in ``folder``/NAME; return the failed recipes with their messages.

    The processes start once and train all recipes until one fails, since the start takes longer than these runs.
    """
    failed: dict[str, str] = {}
    pending = list(recipes)
    while pending:
        file = folder / "pending.json"
        write_text(file, json.dumps([{**plain(r), "compute": {"devices": 2, "device": "cpu"}} for r in pending]))
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command += ["-m", "ebmsuite.plugins.conformance", str(file)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            late = [r for r in pending if not (folder / r.recipe / "finished").exists()]
            return failed | {r.recipe: f"not finished after {LIMIT} seconds" for r in late}
        pending = [r for r in pending if not (folder / r.recipe / "finished").exists()]
        if pending and done.returncode != 0:
            words = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
            failed[pending[0].recipe] = words[0].removeprefix("failed: ") if words else done.stderr[-500:]
            pending = pending[1:]
    return failed


def _one_of_two(file: Path) -> NoReturn:
    """Train the recipes in ``file`` as one of the processes of `on_two_processes`."""
    registry, code = Registry(), 0
    try:
        for recipe in json.loads(file.read_text(encoding="utf-8")):
            run = train(recipe, out=file.parent / str(recipe["recipe"]), registry=registry, quiet=True)
            (run / "finished").touch()
    except Exception as error:  # after any error this process must exit, or the other would wait for it
        print(f"failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        code = 1
    os._exit(code)  # for the reason given in `ebmsuite.cli._leave`


if __name__ == "__main__":
    _one_of_two(Path(sys.argv[1]))
