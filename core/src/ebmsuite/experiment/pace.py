"""Measurements at the start of a run: the fastest number of threads, whether bf16 is slower than fp32, and whether 3-D
convolutions are faster in channels-last.

All time forward and backward passes of the run's nets on a batch of the run: the energies that chains follow,
generators and encoders. Nets that cannot be called in this way are not measured.
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
from ebmsuite.sampling.fast import channels_last_3d

__all__ = ["FILE", "LAYOUT", "check_precision", "choose_layout", "take_layout", "threads"]

FILE = "threads.json"
LAYOUT = "layout.json"
BUDGET = 0.8
"""The time limit of a measurement, in seconds."""
GAIN = 0.9
"""Another setting must take less than this fraction of the time; smaller gains are noise."""

log = logging.getLogger("ebmsuite")

Pass = Callable[[], object]


@contextmanager
def threads(run: Run, fresh: bool) -> Iterator[None]:
    """Within the block, compute with the number of threads that the recipe sets.

    "auto" compares one thread with all threads in a ``fresh`` run of one process on the CPU. The run stores the
    result, because the number of threads changes the order of sums: a resumed run uses the stored number. A run
    without a stored number (from an earlier version) uses torch's default. If OMP_NUM_THREADS or MKL_NUM_THREADS is
    set, nothing is measured.
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
            "threads: %d, as before the interruption, so that the results are the same; %s %d. compute.threads=%d "
            "changes it",
            number, f"{named[0]} is" if named else "the default of torch is", before, before,
        )  # fmt: skip
    return number


def _stored(path: Path) -> int:
    try:
        number = json.loads(path.read_text(encoding="utf-8"))["threads"]
        if type(number) is not int or number < 1:
            raise ValueError(f"threads is {number}")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); delete it to compute with torch's default "
            "number of threads: the run can then resume, but its results will not match bit for bit"
        ) from error
    return number


def _fastest(work: Sequence[Pass], most: int) -> tuple[int, dict[str, float]]:
    """The faster of 1 and ``most`` threads, and the seconds of both. Nets too slow to measure get ``most``."""
    try:
        found = _compare({number: partial(torch.set_num_threads, number) for number in (most, 1)}, work)
    finally:
        torch.set_num_threads(most)
    if not found:
        return most, {}
    number = 1 if found[1] < GAIN * found[most] else most
    return number, {str(k): round(v, 6) for k, v in found.items()}


def check_precision(run: Run) -> None:
    """Warn, and record in the log, if the nets are slower in bf16 than in fp32, as on a CPU without bf16."""
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


def choose_layout(run: Run) -> None:
    """Set the layout of 3-D convolutions; "auto" takes channels-last if it measures faster. The run stores it."""
    if not _channels_last_3d(run, False):  # no 3-D convolutions
        return
    asked, found = run.recipe.compute.layout, dict[Any, float]()
    if asked == "auto" and run.ranks.main:
        found = _compare({last: partial(_channels_last_3d, run, last) for last in (False, True)}, passes(run))
    faster = bool(found) and found[True] < GAIN * found[False]
    chosen = run.ranks.from_main(faster if asked == "auto" else asked == "channels-last")
    _channels_last_3d(run, chosen)
    if run.ranks.main:
        seconds = {"contiguous" if not last else "channels_last_3d": round(v, 6) for last, v in found.items()}
        write_text(run.folder / LAYOUT, json.dumps({"channels_last_3d": chosen, "seconds": seconds}, indent=1))


def take_layout(run: Run) -> None:
    """Use the stored layout, before the optimisers are restored in the layout of their parameters."""
    path = run.folder / LAYOUT
    if not path.exists():
        return
    try:
        last = json.loads(path.read_text(encoding="utf-8"))["channels_last_3d"]
        if type(last) is not bool:
            raise ValueError(f"channels_last_3d is {last}")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); delete it to compute in torch's default "
            "layout: the run can then resume, but its results will not match bit for bit"
        ) from error
    _channels_last_3d(run, last)


def _channels_last_3d(run: Run, last: bool) -> bool:
    """Convert all nets. Whether there are any 3-D convolutions."""
    players = run.experiment.trainer.players
    return max(channels_last_3d(net, last) for net in (*players.values(), *players.ema.values()))


def _compare(ways: Mapping[Any, Callable[[], object]], work: Sequence[Pass]) -> dict[Any, float]:
    """The shortest time of all ``work`` in each of ``ways``, measured in turns; {} if one pass takes too long."""
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
            if round_ > 0:  # the first call allocates buffers and starts threads
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
    """A forward and backward pass of each net that can be measured, on the batch of the run's next step."""
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
        except Exception as error:  # the net needs other arguments, so it is not measured
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
    for net in (trainer.players[name] for name in trainer.players.how):  # those that learn
        if isinstance(net, NormalGenerator):
            offer(partial(_learn, net, partial(net, vector(), batch.condition)))
        elif isinstance(net, Encoder):
            offer(partial(_learn, net, partial(net.moments, net.sees(batch))))
    return found


def _learn(net: torch.nn.Module, forward: Callable[[], Any]) -> object:
    value, wanted = forward(), [p for p in net.parameters() if p.requires_grad]
    total = value.sum() if isinstance(value, Tensor) else sum(v.sum() for v in value)
    return torch.autograd.grad(total, wanted, allow_unused=True)


def _undisturbed(experiment: Experiment, call: Pass) -> Pass:
    """The call in evaluation mode, so that it changes no running mean and no random generator of the run."""

    def inside() -> object:
        devices = [experiment.device] if experiment.device.type == "cuda" else []
        with experiment.trainer.players.in_mode(train=False), torch.random.fork_rng(devices), torch.enable_grad():
            return call()

    return inside
