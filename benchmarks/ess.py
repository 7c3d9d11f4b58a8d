"""Effective sample size per second and per gradient of ULA, MALA, HMC and NUTS, in the suite and in blackjax.

100 chains start at exact samples of a known density, different ones in every round, so no burn-in is needed. Every
round adapts the samplers again; adaptation is not timed, and no parameter changes after it. The effective sample size
(ESS) is the suite's `ess_bulk` of x and of x^2, in the worst coordinate, for all chains together.

    uv run --isolated --no-dev --group bench python benchmarks/ess.py
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from common import Options, Table, installed, options, report, say, timed
from torch import Tensor

from ebmsuite.density import Density
from ebmsuite.sampling import HMC, MALA, NUTS, FastPath, Langevin, Target, run, warm_up
from ebmsuite.sampling.diagnostics import ess_bulk
from ebmsuite.sampling.fast import Mode
from ebmsuite_toy.densities import Banana, Funnel, IllConditioned, eight_gaussians

CHAINS, LEAPFROG = 100, 10
CASES: dict[str, tuple[str, Callable[[], Density]]] = {
    "ill-conditioned": ("Gaussian, 10-D, condition number 100, rotated", lambda: IllConditioned(10, 100.0)),
    "eight-gaussians": ("8 Gaussians on a circle of radius 1, sd 0.3: modes overlap", lambda: eight_gaussians(sd=0.3)),
    "banana": ("Banana, length 2, width 0.5, bend 0.3", Banana),
    "funnel": ("Funnel, 5-D, sd 1.5", lambda: Funnel(5, 1.5)),
}


class Found(NamedTuple):
    """One run of all chains."""

    draws: Tensor
    """[draws, chains, D]."""
    seconds: float
    gradients: float
    """The number of gradients per chain and draw that the chains needed."""
    wasted: float
    """The share of the computed gradients that no chain needed."""
    acceptance: float
    step_size: float


Sample = Callable[[int, Tensor], Found]
"""A function (number of the round, initial states [chains, D]) -> a run."""


def main() -> None:
    opts = options(__doc__ or "", list(CASES))
    report(opts, [table(*CASES[name], opts) for name in opts.cases])


def table(title: str, make: Callable[[], Density], opts: Options) -> Table:
    target = make().to(opts.device)
    draws, adaptation = (100, 200) if opts.quick else (1000, 500)

    def starts(number: int) -> Tensor:
        return target.sample(CHAINS, torch.Generator(opts.device).manual_seed(1000 + number))

    methods = {**ours(target, starts(-1), draws, adaptation, opts.quick), **peers(target, draws, adaptation, opts)}
    found: dict[str, list[Found]] = {name: [] for name in methods}
    for number in range(-1, opts.rounds):
        for name, sample in methods.items():
            say(f"round {number + 1} of {opts.rounds}: {name}")
            once = sample(number, starts(number))
            if number >= 0:  # round -1 compiles the programs and is not counted
                found[name].append(once)
    say("")
    truth = target.sample(1_000_000, torch.Generator(opts.device).manual_seed(1)).double().var(0).cpu()
    rows = [row(name, each, truth) for name, each in found.items()]
    note = (
        "ULA is biased, so its ESS does not refer to the target. It uses half the step size of MALA, and MALA's scale. "
        "The error of the variance (of the mean over rounds, in the worst coordinate) contains bias and Monte Carlo "
        "error: compare the error of ULA with those of the other samplers, which have no bias. HMC makes 10 leapfrog "
        "steps, so its step size also sets its trajectory length, and a smaller one can be better. blackjax's mala has "
        "no mass matrix and adapts only its step size; window_adaptation adapts blackjax's hmc and nuts on one chain, "
        f"with twice as many steps as ours with {CHAINS} chains. The waste of blackjax counts only the wait for the "
        "longest trajectory of each step, so it is a lower bound. Step sizes are in units of the adapted scale."
    )
    return Table(f"{title}: {CHAINS} chains x {draws:,} draws", rows, note)


def row(name: str, found: list[Found], truth: Tensor) -> dict[str, Any]:
    """One row of the table, with medians over rounds. A run with values that are not finite has no ESS."""
    if not all(f.draws.isfinite().all() for f in found):
        diverged = dict.fromkeys(("step size", "acceptance", "gradients / draw", "wasted", "ESS of x"), "")
        return {"method": name, "s": statistics.median(f.seconds for f in found), **diverged, "ESS of x^2": "diverged"}
    both = [(float(ess_bulk(f.draws).min()), float(ess_bulk(f.draws**2).min())) for f in found]
    worst = [min(pair) for pair in both]
    counted = [f.gradients * f.draws.shape[0] * f.draws.shape[1] for f in found]
    errors = (torch.stack([f.draws.double().flatten(0, 1).var(0) for f in found]).mean(0) / truth - 1).tolist()
    median = statistics.median
    return {
        "method": name,
        "s": median(f.seconds for f in found),
        "step size": median(f.step_size for f in found),
        "acceptance": median(f.acceptance for f in found),
        "gradients / draw": median(f.gradients for f in found),
        "wasted": f"{100 * median(f.wasted for f in found):.0f} %",
        "ESS of x": median(pair[0] for pair in both),
        "ESS of x^2": median(pair[1] for pair in both),
        "ESS / s": median(e / f.seconds for e, f in zip(worst, found, strict=True)),
        "ESS / 1000 gradients": median(1000 * e / c for e, c in zip(worst, counted, strict=True)),
        "worst error of a variance": f"{100 * max(errors, key=abs):+.1f} %",
        "_ESS": worst,
        "_s": [f.seconds for f in found],
    }


# -- ours ------------------------------------------------------------------------------------------------------------


def ours(target: Density, x: Tensor, draws: int, adaptation: int, quick: bool) -> dict[str, Sample]:
    """The suite's samplers on the eager energy and, without --quick, on the compiled one (on CUDA: graphed)."""
    fast: Mode = "graphed" if x.is_cuda else "compiled"
    routes: tuple[Mode, ...] = ("eager",) if quick else ("eager", fast)
    methods: dict[str, Sample] = {}
    for route in routes:
        path = FastPath(target, route)
        path.choose(x, None, draws)
        way = path.target(x, None)
        mark = "" if route == "eager" else f", {route}"
        for kernel in (MALA(0.1), HMC(0.1, LEAPFROG), NUTS(0.1)):
            methods[f"ours: {type(kernel).__name__.lower()}{mark}"] = adapted(kernel, way, draws, adaptation)
        methods[f"ours: ula{mark}"] = unadjusted(way, draws, adaptation)
    return methods


@torch.no_grad()
def adapt(kernel: Any, target: Target, x: Tensor, steps: int, number: int) -> tuple[Any, torch.Generator]:
    """An adapted copy of the kernel, and the generator for its draws."""
    rng = torch.Generator(x.device).manual_seed(100 + number)
    return warm_up(kernel, target, x, steps, rng)[0], rng


def adapted(kernel: Any, target: Target, draws: int, adaptation: int) -> Sample:
    """A function that adapts MALA, HMC or NUTS and draws samples."""
    return lambda number, x: sampled(*adapt(kernel, target, x, adaptation, number), target, x, draws)


def unadjusted(target: Target, draws: int, adaptation: int) -> Sample:
    """A function that draws samples with Langevin, with half of MALA's step size and MALA's scale."""

    def sample(number: int, x: Tensor) -> Found:
        mala, rng = adapt(MALA(0.1), target, x, adaptation, number)
        scaled = target._replace(scale=mala.scale)  # these targets have scale 1
        return sampled(Langevin(step_size=mala.step_size / 2), rng, scaled, x, draws)

    return sample


def sampled(kernel: Any, rng: torch.Generator, target: Target, x: Tensor, draws: int) -> Found:
    kept, told = [], []

    def each(i: int, state: Any, info: Any) -> None:
        kept.append(state.x)
        told.append(info)

    with torch.no_grad():
        seconds = timed(lambda: run(kernel, target, x, draws, rng, each), x.device.type)

    def mean(key: str, otherwise: float) -> float:
        return float(torch.stack([getattr(i, key) for i in told]).mean()) if hasattr(told[0], key) else otherwise

    asked = mean("evaluations", float(getattr(kernel, "leapfrog", 1)))
    wasted = mean("wasted", 0.0)
    part, acceptance = wasted / (asked + wasted), mean("acceptance", 1.0)
    return Found(torch.stack(kept).cpu(), seconds, asked, part, acceptance, float(kernel.step_size))


# -- blackjax --------------------------------------------------------------------------------------------------------


def peers(target: Density, draws: int, adaptation: int, opts: Options) -> dict[str, Sample]:
    """The samplers of blackjax, on the CPU only."""
    if not installed("blackjax") or opts.device != "cpu":
        return {}
    import blackjax_peer as peer

    def of(name: str) -> Sample:
        steps = adaptation if name == "mala" else 2 * adaptation
        sampler = peer.Sampler(name, target, draws, steps, LEAPFROG)

        def sample(number: int, x: Tensor) -> Found:
            parameters, kept = sampler.adapt(x, number), []
            seconds = timed(lambda: kept.append(sampler.draw(x, parameters, number)), "cpu")
            (found,) = kept
            asked, longest = float(found.asked), float(found.longest)
            draws = torch.from_numpy(np.array(found.draws))
            h = float(parameters["step_size"])
            h = (2 * h) ** 0.5 if name == "mala" else h  # the step size of blackjax's mala is h^2 / 2
            return Found(draws, seconds, asked, 1 - asked / longest, float(found.acceptance), h)

        return sample

    return {f"blackjax: {name}": of(name) for name in ("mala", "hmc", "nuts")}


if __name__ == "__main__":
    main()
