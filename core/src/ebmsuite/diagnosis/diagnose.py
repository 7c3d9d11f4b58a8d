"""The measurements of a diagnosis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ebmsuite.conditions import Conditions, chosen, or_name_the_options
from ebmsuite.dataset import rows, split_of
from ebmsuite.diagnosis.long_run import energies, energy_distance, long_run, one_step, spread
from ebmsuite.diagnosis.record import SMALL, TIMES, Diagnosis
from ebmsuite.diagnosis.volume import Volume, seconds, timed, volume
from ebmsuite.diagnosis.words import as_json
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.files import write_text
from ebmsuite.generator import Posterior
from ebmsuite.model import Model, load
from ebmsuite.plugins.registry import Registry
from ebmsuite.progress import duration, progress
from ebmsuite.sampling import Phase, Start
from ebmsuite.sampling.diagnostics import ess_bulk, ess_tail, rhat
from ebmsuite.space import Batch, Space
from ebmsuite.tree import cat, take

__all__ = ["diagnose"]

SHORTEST = 8
"""The number of steps of the longest chains from which R-hat can be computed."""
EXAMPLES = 1000
"""The number of training and of held-out examples that the chains are compared with."""
AIS_CHAINS = AIS_BETAS = 500
"""Chains and temperatures of the estimate of log Z."""


def diagnose(
    run: str | Path,
    checkpoint: str | None = None,
    phase: str | None = None,
    chains: int = 64,
    times: int | Sequence[int] = TIMES,
    log_z: bool | None = None,
    seed: int = 0,
    device: str = "auto",
    registry: Registry | None = None,
    split: str | None = None,
    condition: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Diagnosis, Path]:
    """Diagnose a run and write RUN/diagnosis.html and RUN/diagnosis.json; return the diagnosis and the page's path.

    ``chains`` chains of ``phase`` (default: the first that draws events) run for the ``times`` multiples of the number
    of steps in training. One set starts as in training, another at held-out examples. An integer ``times`` stands for
    the usual multiples up to it. ``log_z`` switches annealed importance sampling on or off (default: on for real events
    of up to 50 coordinates). If the model draws only latent vectors, the prior is diagnosed, and latent vectors
    inferred from the data take the place of the data. ``say`` receives a line with the expected duration. Raises a
    `UserError` if there is no such phase.

    The chains of a conditional model run with the conditions of the held-out examples. ``split`` names the split that
    these are from (default: test). ``condition`` is a file of conditions (`ebmsuite.conditions.from_file`) instead,
    repeated to fill ``chains`` chains. If it holds no events, no chain starts at held-out examples.
    """
    from ebmsuite.diagnosis.page import write_page

    if isinstance(times, int):
        times = [*(m for m in TIMES if m < times), times]
    model = load(run, checkpoint, device, registry)
    diagnosis = measure(model, phase, chains, times, log_z, seed, split, condition, say)
    page = write_page(diagnosis, model, Path(run))
    write_text(Path(run) / "diagnosis.json", as_json(diagnosis))
    return diagnosis, page


def measure(
    model: Model,
    phase: str | None,
    chains: int,
    times: Sequence[int],
    log_z: bool | None,
    seed: int,
    split: str | None = None,
    condition: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Diagnosis:
    """Measure everything that `diagnose` reports, without writing files."""
    if chains < 8 or not times or min(times) < 1:
        raise UserError(f"at least 8 chains and multiples of at least 1 are needed, got {chains} and {list(times)}")
    times = sorted({1, *times})
    name = _phase_name(model, phase)
    drawn, rng = model.phase(name), model.generator(seed)
    if times[-1] * drawn.steps < SHORTEST:
        raise UserError(
            f"the longest chains have {times[-1] * drawn.steps} steps and the diagnosis needs at least {SHORTEST}; "
            "increase --times"
        )
    given = chosen(model, split, condition, chains)
    latent = model.trainer.draws[name].space == "latent"
    event = model.players["generator"].latent.event if latent else model.event
    train, test = (_examples(model, s, latent, given is not None, rng) for s in ("train", split or "test"))
    some = _part(test, chains) if given is None else _states(model, given, chains, latent, rng)
    starts = {"data": Start(some.x, some.condition)} if not event.misfit(some.x) else {}
    with suppress(RecipeError):  # raised by chains that start at training examples or at states from the trainer
        left = drawn.chains.continued(len(some), rng) if given is None else None
        starts = {"learning": left or drawn.chains.start(len(some), rng, None, some.condition)} | starts
    if not starts:
        raise UserError(
            f'{model.recipe.recipe}: the chains of the phase "{name}" start at examples, and {condition} has none; use '
            "--from SPLIT"
        )
    with or_name_the_options(model):
        out = {
            "training data": energies(drawn.energy, train.x, train.condition),
            "held-out data": energies(drawn.energy, test.x, test.condition),
        }
    why = _no_volume(event, train, some, log_z)
    per_step = _seconds_per_step(drawn, next(reversed(starts.values())), model.generator(seed))
    chain_time = len(starts) * times[-1] * drawn.steps * per_step
    volume_times = (0.0, 0.0, 0.0) if why else seconds(drawn.energy, event, train.x, AIS_CHAINS, AIS_BETAS)
    volume_time = volume_times[0] + 2 * volume_times[1] + volume_times[2]
    say(
        f"diagnose: about {duration(chain_time + volume_time)} (chains {duration(chain_time)}"
        + ("" if why else f", log Z {duration(volume_time)}")
        + "); --times 10 makes the chains shorter, --no-log-z leaves log Z out"
    )
    with progress("diagnose", chain_time + volume_time) as advance:
        runs = tuple(
            long_run(drawn, start, kind, times, train.x, test.x, rng, lambda: advance(per_step))
            for kind, start in starts.items()
        )
        traces = torch.cat([r.trace[len(r.trace) // 2 :] for r in runs], 1)
        first = runs[0]
        ends = first.moments[1]
        noise = drawn.chains.density
        out |= {"samples": ends.energy, f"samples after {times[-1]}x the steps": first.moments[-1].energy}
        if noise is not None:
            out["noise"] = energies(drawn.energy, noise.sample(len(some), rng, some.condition), some.condition)
        found = None
        if not why:
            found, why = _volume(event, drawn, train, test, rng, volume_times)
    moved = (ends.x - first.moments[0].x).flatten(1).square().mean().sqrt()
    return Diagnosis(
        recipe=model.recipe.recipe, step_learned=model.step, weights=model.weights, phase=name,
        sampler=_say(model.recipe.phases[name]["sampler"]), steps=drawn.steps, seed=seed, runs=runs,
        floor=energy_distance(train.x, test.x), rhat=_worst(rhat(traces), max),
        ess_bulk=_worst(ess_bulk(traces), min), ess_tail=_worst(ess_tail(traces), min), quantities=traces.shape[2],
        chains=traces.shape[1], half_steps=times[-1] * drawn.steps // 2,
        step=one_step(drawn, ends.x, first.condition, rng), moved=float(moved) / spread(train.x),
        energies=out, volume=found, no_volume=why, conditions="" if given is None else given.source,
    )  # fmt: skip


def _seconds_per_step(phase: Phase, start: Start, rng: torch.Generator) -> float:
    steps = min(10, phase.steps)
    return timed(lambda: phase.refine(start, rng, steps)) / steps


def _phase_name(model: Model, phase: str | None) -> str:
    draws = {
        n: phase.space for n, phase in model.trainer.draws.items() if not isinstance(model.phase(n).energy, Posterior)
    }
    known = sorted(draws, key=lambda n: draws[n] == "latent")  # events first
    if not known:
        raise UserError(
            f"{model.recipe.recipe}: no phase of this recipe draws from a model, so there are no chains to compare"
        )
    if phase is not None and phase not in known:
        raise UserError(f'{model.recipe.recipe}: no phase "{phase}" draws from a model; those are: {", ".join(known)}')
    return phase or known[0]


def _examples(model: Model, split: str, latent: bool, given: bool, rng: torch.Generator) -> Batch:
    """The first examples of a split; if ``latent``, the latent vectors inferred from them.

    Latent vectors have the conditions of the examples only if the user has chosen conditions (``given``), because a
    prior can be that of all conditions.
    """
    parts = [b.to(model.device) for b in rows(split_of(model.data, split), EXAMPLES)]
    x = [model.trainer.infer(b, rng) if latent else b.x for b in parts]
    return Batch(torch.cat(x), cat([b.condition for b in parts]) if given or not latent else None)


def _states(model: Model, given: Conditions, chains: int, latent: bool, rng: torch.Generator) -> Batch:
    """The user's conditions, with the events or latent vectors that belong to them, if any.

    The rows of a file are repeated to ``chains`` rows.
    """
    batch = given.batch.to(model.device)
    has_events = not model.event.misfit(batch.x)
    x = model.infer(batch, rng) if latent and has_events else batch.x
    order = torch.arange(chains if not has_events else len(batch), device=model.device) % len(batch)
    return Batch(x[order], take(batch.condition, order))


def _part(batch: Batch, n: int) -> Batch:
    return Batch(batch.x[:n], take(batch.condition, slice(n)))


def _no_volume(event: Space, train: Batch, test: Batch, asked: bool | None) -> str:
    """The reason why log Z is not estimated; "" if it is."""
    if event.kind != "real" or test.condition is not None:
        return "log Z was not estimated: this needs real events without a condition."
    size = train.x[0].numel()
    if asked is False or (asked is None and size > SMALL):
        return f"log Z was not estimated: an event has {size} numbers. Use --log-z to estimate it."
    return ""


def _volume(
    event: Space, phase: Phase, train: Batch, test: Batch, rng: torch.Generator, times: tuple[float, float, float]
) -> tuple[Volume | None, str]:
    try:
        return volume(phase.energy, event, train.x, test.x, rng, AIS_CHAINS, AIS_BETAS, times), ""
    except (ValueError, UserError) as error:  # importance weights that are not finite, chains that diverged
        return None, f"log Z cannot be estimated: {error}."


def _worst(values: Tensor, which: Any) -> float:
    known: list[float] = values[~values.isnan()].tolist()
    return float(which(known)) if known else float("nan")


def _say(spec: dict[str, Any]) -> str:
    numbers = ", ".join(f"{k} {v}" for k, v in spec.items() if k != "name" and v is not None)
    return f"{spec['name']} ({numbers})" if numbers else str(spec["name"])
