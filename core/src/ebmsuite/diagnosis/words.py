"""The interpretation of a diagnosis as text."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

from ebmsuite.diagnosis.record import Diagnosis

__all__ = ["Finding", "as_json", "findings", "verdict"]


class Finding(NamedTuple):
    """One conclusion: a title, a few sentences, and whether it is good, bad or open."""

    title: str
    text: str
    kind: Literal["good", "bad", "open"]


def verdict(d: Diagnosis) -> Finding:
    """The main conclusion of the diagnosis."""
    if d.fresh and not d.data_like(d.fresh.moments[1]):
        return Finding(
            "The chains of this model do not reach the data",
            "After as many steps as in training, the samples are still far from held-out data. Train longer, or use "
            "more steps per chain. Do not use the samples or the energy yet.",
            "bad",
        )
    if not d.stays:
        return Finding(
            "Short-run sampler: do not read this energy as a log-density",
            "The samples are data-like after as many steps as in training, but not after many more steps: the chains "
            "move on to events that have lower energies than data. The model has learned a generator, which moves "
            "noise to the data in a fixed number of steps (Nijkamp et al., NeurIPS 2019). You can use its samples. Do "
            "not use its energy to compare events, to detect anomalies or to report a likelihood.",
            "bad",
        )
    if d.rhat > 1.05:
        return Finding(
            "The chains stay near the data but do not mix",
            f"R-hat is {d.rhat:.2f} (at most 1.01 for chains that agree): chains that start in different places are "
            "still in different places at the end. This test finds no error of the energy within a mode, but it does "
            "not test the relative probabilities of different modes. Longer chains (--times) may do so.",
            "open",
        )
    if d.other_temperature:
        return Finding(
            f"The chains have converged to the density of E / T with T = {d.temperature:.2g}",
            "Long chains stay near the data and agree with each other. The gradient weight and the noise of a step "
            "imply a temperature T other than 1, so -E / T, not -E, can be read as a log-density.",
            "open",
        )
    return Finding(
        "The chains have converged: -E can be read as a log-density",
        "Long chains stay near the data, chains with different initialisations agree, and the sampler has temperature "
        "1. As far as these tests show, -E differs from the log-density of the samples only by log Z.",
        "good",
    )


def findings(d: Diagnosis) -> list[Finding]:
    """The conclusions from all measurements."""
    return [*_long(d), _mixing(d), *_step(d), *_energies(d), *_volume(d)]


def _long(d: Diagnosis) -> list[Finding]:
    found = []
    for r in d.runs:
        first, last = r.moments[1], r.moments[-1]
        numbers = ", ".join(f"{m.distance:.3f} at {m.times}x" for m in r.moments)
        near = ", ".join(f"{m.nearest:.2f} at {m.times}x" for m in r.moments)
        good = d.data_like(last)
        text = (
            f"The chains start {r.where} and run up to {last.times} times the {first.steps} steps used in training. "
            f"Distance from held-out data (0: same distribution, 1: far apart; training data: {d.floor:.3f}): "
            f"{numbers}. Distance to the nearest training example, relative to held-out data: {near}. "
            + ("The chains end near the data." if good else "The chains end away from the data.")
        )
        found.append(Finding(f"Long run, {r.label}", text, "good" if good else "bad"))
    return found


def _mixing(d: Diagnosis) -> Finding:
    good = d.rhat <= 1.01
    text = (
        f"In the second half of all long chains, the largest R-hat of the energy and of {d.quantities - 1} numbers of "
        f"the event is {d.rhat:.3f}. The smallest effective sample size is {d.ess_bulk:.0f} in the bulk and "
        f"{d.ess_tail:.0f} in the tails, from {d.chains} chains of {d.half_steps} steps: one independent sample per "
        f"{d.chains * d.half_steps / max(d.ess_bulk, 1e-9):,.0f} steps. "
        + ("The chains agree" if good else "Above 1.01, the chains still depend on where they started")
        + ("." if d.stays or not good else ", but away from the data.")
    )
    return Finding("Mixing", text, "good" if good else "open" if d.rhat <= 1.05 else "bad")


def _step(d: Diagnosis) -> list[Finding]:
    found = []
    if d.step.temperature is not None and d.step.drift is not None:
        cold = d.step.temperature < 0.95
        text = (
            f"Gradient weight w and noise scale n imply the temperature T = n^2 / 2w = {d.step.temperature:.2g}. The "
            f"gradient term of a step is {d.step.drift:.2g} times as large as its noise (near 1 in training that "
            "converges, Nijkamp et al., AAAI 2020). A Metropolis test at temperature T would accept "
            f"{d.step.acceptance:.0%} of the steps"
        )
        rare = d.step.acceptance is not None and d.step.acceptance < 0.5
        text += ": the steps are too large for the chain to sample from exp(-E / T)." if rare else "."
        found.append(Finding("One step", text, "bad" if rare else "open" if cold else "good"))
    rate = d.runs[0].acceptance
    if rate is not None:
        kind: Literal["good", "open"] = "good" if 0.3 < rate < 0.99 else "open"
        found.append(Finding("Acceptance", f"The sampler accepts {rate:.0%} of its proposals.", kind))
    text = (
        f"In the {d.steps} steps used in training, a coordinate moves by {d.moved:.2g} standard deviations of the data."
    )
    return [*found, Finding("Displacement", text, "open")]


def _energies(d: Diagnosis) -> list[Finding]:
    e = d.energies
    gap = float(e["held-out data"].mean() - e["training data"].mean())
    spread = float(e["training data"].std())
    seen = (
        f"The mean energy of held-out data is {abs(gap) / max(spread, 1e-9):.2f} standard deviations "
        f"{'above' if gap > 0 else 'below'} that of training data: "
        + ("the energy has memorised the training data." if gap > spread / 2 else "there is no sign of memorisation.")
    )
    found = [Finding("Energies", seen, "bad" if gap > spread / 2 else "good")]
    for name, values in e.items():
        below = d.below(values)
        if name not in ("training data", "held-out data") and below > 0.05:
            text = f"{below:.0%} of {name} have lower energies than nearly all (99.5 %) of the held-out data."
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
        text += f"This is for the density exp(-E); the chains of this run have temperature {d.temperature:.2g}. "
    if d.volume.closed:
        text += (
            f"Held-out log-likelihood: {float(l.value):.3f} nats per event. Its uncertainty is "
            f"[{float(l.low):.3f}, {float(l.high):.3f}] from log Z and ± {float(l.error):.3f} from the size of the "
            "held-out set."
        )
        return [Finding("log Z and likelihood", text, "open" if d.other_temperature else "good")]
    text += "The bounds do not agree to within 0.1 nats, so no likelihood is stated. The chains may not have converged."
    return [Finding("log Z", text, "bad")]


def as_json(d: Diagnosis) -> str:
    """All numbers of a diagnosis as JSON text."""
    out: dict[str, Any] = {
        k: getattr(d, k)
        for k in ("recipe", "step_learned", "weights", "phase", "sampler", "steps", "seed", "floor", "rhat",
                  "ess_bulk", "ess_tail", "chains", "half_steps", "moved")
    }  # fmt: skip
    if d.conditions:
        out["conditions"] = d.conditions
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
