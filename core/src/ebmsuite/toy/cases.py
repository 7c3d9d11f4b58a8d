"""The rows of the toy suite: every method on a density that is known."""

from __future__ import annotations

from ebmsuite.scores import Case

__all__ = [
    "COARSE_TO_FINE",
    "COOPERATIVE_RECOVERY",
    "DSM",
    "EIGHT_GAUSSIANS",
    "ENERGY_MATCHING",
    "FCE",
    "FRAME",
    "IMPROVED_CD",
    "INCOMPLETE",
    "INTROSPECTIVE",
    "JOINT_ACCURACY",
    "JOINT_KL",
    "MULTI_GRID",
    "NCE",
    "RECOVERY",
    "RINGS",
    "SHORT_RUN",
]

SEEDS = {"quick": 3, "full": 3}
FLOOR = {"real against real": {"of": "held-out"}}
"""What a perfect model would score with as many samples."""

RINGS = Case(
    name="toy/rings-kl",
    recipe="toy/rings",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.05},
    seeds=SEEDS,
    note="persistent chains, convergent",
)

EIGHT_GAUSSIANS = Case(
    name="toy/eight-gaussians-kl",
    recipe="toy/eight-gaussians",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.05},
    seeds=SEEDS,
    note="persistent chains, convergent",
)

IMPROVED_CD = Case(
    name="toy/improved-cd-kl",
    recipe="toy/improved-cd",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.1},
    seeds=SEEDS,
    note="persistent chains with the KL and the entropy term",
)

INCOMPLETE = Case(
    name="toy/incomplete-recovery",
    recipe="toy/incomplete",
    metric={"name": "toy/recovery"},
    better="lower",
    n={"quick": 2000, "full": 2000},
    bar={"quick": 0.48},
    baselines={"training mean": {"of": "mean"}, "best possible": {"of": "best"}},
    seeds=SEEDS,
    note="error of hidden coordinates, the mean of eight draws; the best possible is E[hidden | known]",
)

JOINT_KL = Case(
    name="toy/joint-classifier-kl",
    recipe="toy/joint-classifier",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.05},
    seeds=SEEDS,
    note="of p(x | label)",
)

JOINT_ACCURACY = Case(
    name="toy/joint-classifier-accuracy",
    recipe="toy/joint-classifier",
    metric={"name": "toy/accuracy"},
    better="higher",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.98},
    seeds=SEEDS,
)

INTROSPECTIVE = Case(
    name="toy/introspective-kl",
    recipe="toy/introspective",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.05},
    seeds=SEEDS,
)

FRAME = Case(
    name="toy/frame-statistics",
    recipe="toy/frame",
    metric={"name": "toy/statistics"},
    better="lower",
    n={"quick": 2000, "full": 2000},
    bar={"quick": 0.05},
    baselines={"real against real": {"of": "held-out"}, "nothing learned": {"of": "reference"}},
    seeds=SEEDS,
    note="relative error of the soft histograms of all filters",
)

MULTI_GRID = Case(
    name="toy/multi-grid-samples",
    recipe="toy/multi-grid",
    metric={"name": "toy/samples"},
    better="lower",
    n={"quick": 2000, "full": 2000},
    baselines=FLOOR,
    seeds=SEEDS,
)

COARSE_TO_FINE = Case(
    name="toy/coarse-to-fine-samples",
    recipe="toy/coarse-to-fine",
    metric={"name": "toy/samples"},
    better="lower",
    n={"quick": 2000, "full": 2000},
    baselines=FLOOR,
    seeds=SEEDS,
)

SHORT_RUN = Case(
    name="toy/rings-short-run-samples",
    recipe="toy/rings-short-run",
    metric={"name": "toy/samples"},
    better="lower",
    n={"quick": 5000, "full": 5000},
    baselines=FLOOR,
    seeds=SEEDS,
    note="chains too short to converge: judged by its samples, as its energy is no density",
)

NCE = Case(
    name="toy/nce-kl",
    recipe="toy/nce",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.02},
    seeds=SEEDS,
    note="noise contrast, log Z learned",
)

FCE = Case(
    name="toy/fce-kl",
    recipe="toy/fce",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.1},
    seeds=SEEDS,
    note="a flow for the noise, both learned",
)

DSM = Case(
    name="toy/dsm-kl",
    recipe="toy/dsm",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    bar={"quick": 0.06},
    seeds=SEEDS,
    note="denoising score matching, of which the noise itself is a part of the divergence",
)

RECOVERY = Case(
    name="toy/recovery-samples",
    recipe="toy/recovery",
    metric={"name": "toy/samples"},
    better="lower",
    n={"quick": 5000, "full": 5000},
    bar={"quick": 0.1},
    baselines=FLOOR,
    seeds=SEEDS,
    note="recovery likelihood, six levels",
)

COOPERATIVE_RECOVERY = Case(
    name="toy/cooperative-recovery-samples",
    recipe="toy/cooperative-recovery",
    metric={"name": "toy/samples"},
    better="lower",
    n={"quick": 5000, "full": 5000},
    bar={"quick": 0.1},
    baselines=FLOOR,
    seeds=SEEDS,
    note="recovery likelihood, six levels, chains from a generator",
)

ENERGY_MATCHING = Case(
    name="toy/energy-matching-samples",
    recipe="toy/energy-matching",
    metric={"name": "toy/samples"},
    better="lower",
    n={"quick": 5000, "full": 5000},
    bar={"quick": 0.1},
    baselines=FLOOR,
    seeds=SEEDS,
    note="optimal-transport flow, then contrast",
)
