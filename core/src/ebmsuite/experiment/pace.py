"""What is measured at the start of a run: the number of threads that small nets are fastest with, and what bf16 costs.

Both time passes of the run's own nets on its own batch: values and gradients of the energies that chains follow, and
of generators and encoders. Nets that cannot be called so are left out.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebmsuite.density import Encoder
from ebmsuite.energy import Recovery
from ebmsuite.errors import DataError
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.run import Run
from ebmsuite.files import write_text
from ebmsuite.generator import NormalGenerator, Posterior

__all__ = ["FILE", "check_precision", "threads"]

FILE = "threads.json"
BUDGET = 0.8
"""Seconds that a measurement may take."""
GAIN = 0.9
"""The share of the time that another number of threads must get below: less is noise."""

log = logging.getLogger("ebmsuite")

Pass = Callable[[], object]


@contextmanager
def threads(run: Run, fresh: bool) -> Iterator[None]:
    """Compute with the threads that the recipe asks for, for as long as the block lasts.

    "auto" measures one thread against all of them in a ``fresh`` run of one process on the CPU. What it chose is
    stored in the run, since the number of threads changes the order of sums: a resumed run computes with the stored
    number, and one that stored none, as runs did not once, with torch's own. With OMP_NUM_THREADS or MKL_NUM_THREADS
    nothing is measured.
    """
    before = torch.get_num_threads()
    number = _threads(run, fresh, before)
    if number != before:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        if number != before:
            torch.set_num_threads(before)


def _threads(run: Run, fresh: bool, before: int) -> int:
    asked, path = run.recipe.compute.threads, run.folder / FILE
    if asked != "auto":
        return asked
    if run.ranks.world > 1 or run.experiment.device.type != "cpu":
        return before
    named = [name for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if os.environ.get(name)]
    if fresh:
        number = before
        seconds: dict[str, float] = {}
        if before > 1 and not named:
            number, seconds = _fastest(passes(run), before)
        write_text(path, json.dumps({"threads": number, "seconds": seconds}, indent=1))
        return number
    if not path.exists():
        return before
    number = _stored(path)
    if number != before and (named or number > before):
        log.warning(
            "threads: %d, as before, so the run ends as an uninterrupted one; %s %d. compute.threads=%d changes it",
            number, f"{named[0]} is" if named else "torch would take", before, before,
        )  # fmt: skip
    return number


def _stored(path: Path) -> int:
    try:
        number = json.loads(path.read_text(encoding="utf-8"))["threads"]
        if type(number) is not int or number < 1:
            raise ValueError(f"threads is {number}")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); delete it to compute with torch's own number "
            "of threads: the run then goes on, but not bit for bit as it would have without the damage"
        ) from error
    return number


def _fastest(work: Sequence[Pass], most: int) -> tuple[int, dict[str, float]]:
    """1 or ``most``, whichever is faster, and the seconds of both; ``most`` for nets that take long."""
    try:
        found = _compare({number: partial(torch.set_num_threads, number) for number in (most, 1)}, work)
    finally:
        torch.set_num_threads(most)
    if not found:
        return most, {}
    number = 1 if found[1] < GAIN * found[most] else most
    return number, {str(k): round(v, 6) for k, v in found.items()}


def check_precision(run: Run) -> None:
    """Warn, and record in the log, when the nets take longer in bf16 than in fp32, as on a CPU without bf16."""
    experiment = run.experiment
    if run.recipe.compute.precision != "bf16" or not run.ranks.main:
        return
    work = passes(run)
    try:
        found = _compare({name: partial(experiment.set_precision, name) for name in ("bf16", "fp32")}, work)
    finally:
        experiment.set_precision(run.recipe.compute.precision)
    if found and GAIN * found["bf16"] > found["fp32"]:
        ratio = found["bf16"] / found["fp32"]
        reason = f"the nets take {ratio:.1f} x as long in bf16 as in fp32 on this {experiment.device.type}"
        log.warning("%s; compute.precision=fp32 is faster here", reason)
        run.append({"step": run.step, "event": "precision", "reason": reason, "ratio": round(ratio, 2)})


def _compare(ways: Mapping[Any, Callable[[], None]], work: Sequence[Pass]) -> dict[Any, float]:
    """The shortest time of all ``work`` in each way, measured in turns; {} when once in each would take too long."""
    best: dict[Any, float] = {}
    if not work:
        return best
    began = time.perf_counter()
    for round_ in range(12):
        for name, enter in ways.items():
            enter()
            seconds = _timed(work)
            if round_ == 0 and seconds > BUDGET:
                return {}
            if round_ > 0:  # the first call makes buffers and wakes threads
                best[name] = min(best.get(name, seconds), seconds)
        spent = time.perf_counter() - began
        if round_ > 0 and spent * (round_ + 2) / (round_ + 1) > BUDGET:
            break
    return best


def _timed(work: Sequence[Pass]) -> float:
    _wait()
    began = time.perf_counter()
    for call in work:
        call()
    _wait()
    return time.perf_counter() - began


def _wait() -> None:
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()


def passes(run: Run) -> list[Pass]:
    """A forward and backward pass of each net that can be called, on the batch of the run's next step."""
    experiment = run.experiment
    stream = next(iter(experiment.streams.values()))
    batch = stream.batch(run.step).to(experiment.device)
    trainer = experiment.trainer
    latent = experiment.recipe.latent
    found: list[Pass] = []

    def vector() -> Tensor:
        generator = torch.Generator(experiment.device).manual_seed(0)
        shape = (len(batch), *(latent or ()))
        return torch.randn(shape, generator=generator, device=experiment.device)

    def offer(call: Pass) -> None:
        call = _undisturbed(experiment, call)
        try:
            call()
        except Exception as error:  # a net that wants something else; it is measured by none of its calls
            log.debug("not timed: %s", error)
        else:
            found.append(call)

    for name, phase in trainer.phases.items():
        if isinstance(phase.energy, Posterior | Recovery):
            continue
        events = trainer.draws[name].space == "event"
        x, condition = (batch.x, batch.condition) if events else (vector(), None)

        def energy(net: Any = phase.energy, x: Tensor = x, condition: Any = condition) -> object:
            x = x.detach().requires_grad_()
            return torch.autograd.grad(net(x, condition).sum(), x)

        offer(energy)
    for net in trainer.players.values():
        if isinstance(net, NormalGenerator):
            offer(partial(_learn, net, partial(net, vector(), batch.condition)))
        elif isinstance(net, Encoder):
            offer(partial(_learn, net, partial(net.moments, batch.encoder_input)))
    return found


def _learn(net: torch.nn.Module, forward: Callable[[], Any]) -> object:
    value, wanted = forward(), [p for p in net.parameters() if p.requires_grad]
    total = value.sum() if isinstance(value, Tensor) else sum(v.sum() for v in value)
    return torch.autograd.grad(total, wanted, allow_unused=True)


def _undisturbed(experiment: Experiment, call: Pass) -> Pass:
    """The call with nets as in use, so that no running mean and no generator of the run is moved."""

    def inside() -> object:
        devices = [experiment.device] if experiment.device.type == "cuda" else []
        with experiment.trainer.players.in_mode(train=False), torch.random.fork_rng(devices), torch.enable_grad():
            return call()

    return inside
