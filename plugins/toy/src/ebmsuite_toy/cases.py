"""The rows of the toy suite: every method on a known density."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ebmsuite.scores import Case

__all__ = [
    "ABP",
    "ABP_INCOMPLETE",
    "BOTTLENECK",
    "COARSE_TO_FINE",
    "COOPERATIVE",
    "COOPERATIVE_CONDITIONAL",
    "COOPERATIVE_INFERENCE",
    "COOPERATIVE_RECOVERY",
    "COOPERATIVE_SAMPLES",
    "CYCLE",
    "DIVERGENCE_TRIANGLE",
    "DSM",
    "EIGHT_GAUSSIANS",
    "ENERGY_MATCHING",
    "ENERGY_MATCHING_KL",
    "FCE",
    "FRAME",
    "IMPROVED_CD",
    "INCOMPLETE",
    "INTROSPECTIVE",
    "JOINT_ACCURACY",
    "JOINT_KL",
    "JOINT_VAE",
    "LABELS_ALONE",
    "LATENT",
    "LATENT_SCORE",
    "MULTI_GRID",
    "NCE",
    "PYRAMID",
    "RECOVERY",
    "RINGS",
    "SHORT_RUN",
    "SYMBOL_VECTOR",
    "VAE",
    "VARIATIONAL_COOPERATIVE",
    "VARIATIONAL_LATENT",
]


def _case(
    name: str, recipe: str, metric: str, bar: float | None, n: int, note: str, how: Mapping[str, Any] = {}, **facts: Any
) -> Case:
    """A case with three seeds at every budget and a bar at "quick"; ``how`` are settings of the metric."""
    facts = {"better": "lower", "n": {"quick": n, "full": n}, "seeds": {"quick": 3, "full": 3}, **facts}
    bars = {} if bar is None else {"quick": bar}
    return Case(f"toy/{name}", f"toy/{recipe}", {"name": f"toy/{metric}", **how}, bar=bars, note=note, **facts)


def _nats(recipe: str, bar: float | None, note: str = "", metric: str = "divergence", **facts: Any) -> Case:
    """KL(data || model)."""
    return _case(f"{recipe}-kl", recipe, metric, bar, 10_000, note, **facts)


def _samples(recipe: str, bar: float | None, note: str = "", n: int = 5000, **facts: Any) -> Case:
    """Sliced Wasserstein distance, with that of equally many training events, the score of a perfect model."""
    floor = {"real against real": {"of": "held-out"}}
    return _case(f"{recipe}-samples", recipe, "samples", bar, n, note, baselines=floor, **facts)


def _package(name: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(("quick", "full"), (f"module:{name}",))


def _accuracy(name: str, recipe: str, bar: float | None, note: str = "", **facts: Any) -> Case:
    """Accuracy."""
    return _case(name, recipe, "accuracy", bar, 10_000, note, better="higher", **facts)


def _recovered(recipe: str, bar: float | None, note: str) -> Case:
    """Error of hidden coordinates, the mean of eight draws."""
    beside = {"training mean": {"of": "mean"}, "best possible": {"of": "best"}}
    note = f"{note}; error of the mean of eight draws, the best possible is E[hidden | known]"
    return _case(f"{recipe}-recovery", recipe, "recovery", bar, 2000, note, baselines=beside)


# maximum likelihood
RINGS = _nats("rings", 0.05, "persistent chains, convergent")
EIGHT_GAUSSIANS = _nats("eight-gaussians", 0.05, "persistent chains, convergent")
SHORT_RUN = _samples("rings-short-run", None, "chains too short to converge: samples, as the energy is no density")
IMPROVED_CD = _nats("improved-cd", 0.1, "persistent chains, with the KL and the entropy term")
INCOMPLETE = _recovered("incomplete", 0.48, "two coordinates in six hidden")
JOINT_KL = _nats("joint-classifier", 0.05, "of p(x | label)")
JOINT_ACCURACY = _accuracy("joint-classifier-accuracy", "joint-classifier", 0.98)
INTROSPECTIVE = _nats("introspective", 0.05)
FRAME = _case(
    "frame-statistics", "frame", "statistics", 0.05, 2000, "relative error of the soft histograms of all filters",
    baselines={"real against real": {"of": "held-out"}, "nothing learned": {"of": "noise"}},
)  # fmt: skip
MULTI_GRID = _samples("multi-grid", 0.1, n=2000)
COARSE_TO_FINE = _samples("coarse-to-fine", 0.12, n=2000)
PYRAMID = _case(
    "pyramid-windows", "pyramid", "samples", 0.15, 200, "windows of 32 positions, learned from one signal",
    how={"window": 32}, baselines={"the one signal": {"of": "held-out"}},
)  # fmt: skip

# contrast, scores and recovery
NCE = _nats("nce", 0.02, "log Z learned")
FCE = _nats("fce", 0.05, "a flow for the noise, both learned", needs=_package("zuko"))
DSM = _nats("dsm", 0.05, "the divergence includes the noise of the matching")
RECOVERY = _samples("recovery", 0.1, "six levels")
COOPERATIVE_RECOVERY = _samples("cooperative-recovery", 0.1, "six levels, chains from a generator")
ENERGY_MATCHING = _samples("energy-matching", 0.12, "optimal-transport flow, then contrast", needs=_package("scipy"))
ENERGY_MATCHING_KL = _nats("energy-matching", 0.1, "of exp(-V / eps), approximately", needs=_package("scipy"))

# generators and cooperation
ABP = _nats("abp", 1.2, "a generator of a normal latent vector", "latent-divergence")
ABP_INCOMPLETE = _recovered("abp-incomplete", 0.25, "three coordinates in ten hidden")
COOPERATIVE = _nats("cooperative", 0.1)
COOPERATIVE_SAMPLES = _samples("cooperative", 0.25, "the generator's draws, revised by the energy")
COOPERATIVE_INFERENCE = _samples("cooperative-inference", 0.25, "the latent vector inferred from where chains end")
COOPERATIVE_CONDITIONAL = _nats("cooperative-conditional", 0.3, "of p(x | label)")
VARIATIONAL_COOPERATIVE = _nats("variational-cooperative", 0.4)
DIVERGENCE_TRIANGLE = _samples("divergence-triangle", 0.35, "the generator's draws, with their noise")
CYCLE = _case(
    "cycle-cooperative-translation", "cycle-cooperative", "translation", 0.2, 5000,
    "sliced Wasserstein distance of translations from events of the other domain",
)  # fmt: skip

# energies of a latent vector
VAE = _nats("vae", None, "the generator of toy/latent, its latent vector normal", "latent-divergence")
LATENT = _nats(
    "latent", 0.6, "an energy on the latent vector", "latent-divergence", baselines={"VAE": {"recipe": "toy/vae"}},
    margins={"quick": {"VAE": 2.0}},
)  # fmt: skip
VARIATIONAL_LATENT = _nats(
    "variational-latent", 0.3, "two modes in a plane, the best normal density has 1.21", "latent-divergence",
    how={"grid": 400},
)  # fmt: skip
LATENT_SCORE = _nats("latent-dsm", 0.4, "the same by scores of what an auto-encoder infers", "latent-divergence")
JOINT_VAE = _nats("joint-vae", 0.8, "the same with an energy of events and latent vectors", "latent-divergence")
SYMBOL_VECTOR = _accuracy(
    "symbol-vector-accuracy", "symbol-vector", 0.95, "two labels per class, 10,000 unlabelled events"
)
BOTTLENECK = _accuracy(
    "symbol-vector-bottleneck", "symbol-vector", 0.95, "with the information bottleneck",
    settings={"trainer.information_weight": 0.5},
)  # fmt: skip
LABELS_ALONE = _accuracy(
    "symbol-vector-labels-alone", "symbol-vector", None, "learned from the labelled events alone",
    settings={"data.data": {"name": "toy/points", "density": {"name": "toy/embedded"}, "labelled": 16}},
)  # fmt: skip
