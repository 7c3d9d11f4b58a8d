"""What the numbers mean, in words."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

from ebmsuite.diagnosis.record import Diagnosis

__all__ = ["Finding", "as_json", "findings", "verdict"]


class Finding(NamedTuple):
    """A sentence or two, and whether it is good news."""

    title: str
    text: str
    kind: Literal["good", "bad", "open"]


def verdict(d: Diagnosis) -> Finding:
    """The one sentence that a reader should take away."""
    if d.fresh and not d.data_like(d.fresh.moments[1]):
        return Finding(
            "The chains of this model do not reach the data",
            "After as many steps as in learning the samples are still far from held-out data. Learn longer, or with "
            "more steps; read neither the samples nor the energy yet.",
            "bad",
        )
    if not d.stays:
        return Finding(
            "Short-run sampler: do not read this energy as a log-density",
            "The samples are like the data after as many steps as in learning, and not after many more: the chain "
            "goes on to points that the energy prefers to data. What was learned is a way from the start to the data "
            "in a given number of steps (Nijkamp et al., NeurIPS 2019), a generator. Use its samples; do not use its "
            "energy to compare events, to test for anomalies or to report a likelihood.",
            "bad",
        )
    if d.rhat > 1.05:
        return Finding(
            "The chains stay with the data but do not mix",
            f"R-hat is {d.rhat:.2f} (1.01 at most for chains that agree): chains that start in different places are "
            "still in different places at the end. The energy is right about what is near, as far as this shows; how "
            "much probability it gives to one mode against another was not tested. A longer run (--times) may show it.",
            "open",
        )
    if d.other_temperature:
        return Finding(
            f"The chains have converged, to the density of E / T at T = {d.temperature:.2g}",
            "Long chains stay with the data and agree with one another. The step's gradient weight and noise belong "
            "to another temperature than 1, so the energy is a log-density only after division by T.",
            "open",
        )
    return Finding(
        "The chains have converged: -E can be read as a log-density",
        "Long chains stay with the data, chains from different starts agree, and the sampler is at temperature 1. "
        "-E differs from the log-density of the samples by log Z alone, as far as these tests can see.",
        "good",
    )


def findings(d: Diagnosis) -> list[Finding]:
    """One for every measurement."""
    return [*_long(d), _mixing(d), *_step(d), *_energies(d), *_volume(d)]


def _long(d: Diagnosis) -> list[Finding]:
    found = []
    for r in d.runs:
        first, last = r.moments[1], r.moments[-1]
        numbers = ", ".join(f"{m.distance:.3f} at {m.times}x" for m in r.moments)
        near = ", ".join(f"{m.nearest:.2f} at {m.times}x" for m in r.moments)
        good = d.data_like(last)
        text = (
            f"Chains that start {r.where} and run up to {last.times} times the {first.steps} steps of learning. "
            f"Distance from held-out data (0 the same, 1 far apart; training data {d.floor:.3f}): {numbers}. "
            f"Distance to the nearest training example (1 for held-out data): {near}. "
            + ("They end like data." if good else "They end away from the data.")
        )
        found.append(Finding(f"Long run, {r.label}", text, "good" if good else "bad"))
    return found


def _mixing(d: Diagnosis) -> Finding:
    good = d.rhat <= 1.01
    text = (
        f"Over the second half of all long chains together, the largest R-hat of the energy and of "
        f"{d.quantities - 1} numbers of the event is {d.rhat:.3f}; the smallest effective number of draws is "
        f"{d.ess_bulk:.0f} in the bulk and {d.ess_tail:.0f} in the tails, from {d.chains} chains of {d.half_steps} "
        f"steps: one independent draw in {d.chains * d.half_steps / max(d.ess_bulk, 1e-9):,.0f} steps. "
        + ("Chains agree" if good else "Above 1.01, chains have not forgotten where they began")
        + ("." if d.stays or not good else ", but where they agree is not where the data are.")
    )
    return Finding("Mixing", text, "good" if good else "open" if d.rhat <= 1.05 else "bad")


def _step(d: Diagnosis) -> list[Finding]:
    found = []
    if d.step.temperature is not None and d.step.drift is not None:
        cold = d.step.temperature < 0.95
        text = (
            f"Gradient weight w and noise n are those of temperature n^2 / 2w = {d.step.temperature:.2g}. The "
            f"gradient's part of a step is {d.step.drift:.2g} times its noise (near 1 in learning that converges, "
            f"Nijkamp et al., AAAI 2020). A Metropolis test at that temperature would accept {d.step.acceptance:.0%} "
            "of the steps"
        )
        rare = d.step.acceptance is not None and d.step.acceptance < 0.5
        text += ": too large for the chain to sample from what it follows." if rare else "."
        found.append(Finding("One step", text, "bad" if rare else "open" if cold else "good"))
    rate = d.runs[0].acceptance
    if rate is not None:
        kind: Literal["good", "open"] = "good" if 0.3 < rate < 0.99 else "open"
        found.append(Finding("Acceptance", f"The sampler accepts {rate:.0%} of its proposals.", kind))
    text = f"In the {d.steps} steps of learning a coordinate moves by {d.moved:.2g} times the spread of the data."
    return [*found, Finding("Displacement", text, "open")]


def _energies(d: Diagnosis) -> list[Finding]:
    e = d.energies
    gap = float(e["held-out data"].mean() - e["training data"].mean())
    spread = float(e["training data"].std())
    seen = (
        f"Held-out data lie {abs(gap) / max(spread, 1e-9):.2f} standard deviations {'above' if gap > 0 else 'below'} "
        "training data in energy: "
        + ("the energy knows its training data by heart." if gap > spread / 2 else "no sign of memorising.")
    )
    found = [Finding("Energies", seen, "bad" if gap > spread / 2 else "good")]
    for name, values in e.items():
        below = d.below(values)
        if name not in ("training data", "held-out data") and below > 0.05:
            text = f"{below:.0%} of {name} have less energy than nearly all (99.5 %) of the held-out data."
            found.append(Finding("Energies", text, "bad"))
    return found


def _volume(d: Diagnosis) -> list[Finding]:
    if d.volume is None:
        return [Finding("log Z", d.no_volume, "open")]
    s, l = d.volume.sandwich, d.volume.likelihood  # noqa: E741
    text = (
        f"log Z is between {float(s.lower.log_z):.3f} (forward) and {float(s.upper.log_z):.3f} (reverse), by annealed "
        f"importance sampling from {d.volume.base} with {d.volume.chains} chains and {d.volume.betas} temperatures. "
    )
    if d.other_temperature:
        text += f"This is the density exp(-E); the chains of this run are at temperature {d.temperature:.2g}. "
    if d.volume.closed:
        text += (
            f"Held-out log-likelihood: {float(l.value):.3f} nats an event, [{float(l.low):.3f}, {float(l.high):.3f}] "
            f"from log Z, and ± {float(l.error):.3f} from the size of the held-out set."
        )
        return [Finding("log Z and likelihood", text, "open" if d.other_temperature else "good")]
    text += "The bounds do not meet, so no likelihood is stated; use more temperatures, or read the verdict above."
    return [Finding("log Z", text, "bad")]


def as_json(d: Diagnosis) -> str:
    """Every number of it, for a program."""
    out: dict[str, Any] = {
        k: getattr(d, k)
        for k in ("recipe", "step_learned", "weights", "phase", "sampler", "steps", "seed", "floor", "rhat",
                  "ess_bulk", "ess_tail", "chains", "half_steps", "moved")
    }  # fmt: skip
    out["verdict"] = verdict(d).title
    out["step"] = d.step._asdict()
    out["runs"] = [
        {
            "start": r.start,
            "acceptance": r.acceptance,
            "moments": [
                {
                    "times": m.times,
                    "steps": m.steps,
                    "distance": m.distance,
                    "nearest": m.nearest,
                    "energy": float(m.energy.mean()),
                }
                for m in r.moments
            ],
        }
        for r in d.runs
    ]
    out["energies"] = {k: {"mean": float(v.mean()), "sd": float(v.std())} for k, v in d.energies.items()}
    if d.volume is not None:
        s, likelihood = d.volume.sandwich, d.volume.likelihood
        out["log_z"] = {
            name: {"log_z": float(e.log_z), "low": float(e.low), "high": float(e.high), "ess": float(e.ess)}
            for name, e in (("forward", s.lower), ("reverse", s.upper))
        }
        out["log_likelihood"] = {k: float(v) for k, v in likelihood._asdict().items()}
    out["findings"] = [f._asdict() for f in findings(d)]
    return json.dumps(out, indent=1)
