"""The rows of the toy suite: every method on a density that is known."""

from __future__ import annotations

from ebmsuite.scores import Case

__all__ = [
    "ABP",
    "ABP_INCOMPLETE",
    "COARSE_TO_FINE",
    "COOPERATIVE",
    "COOPERATIVE_CONDITIONAL",
    "COOPERATIVE_RECOVERY",
    "COOPERATIVE_SAMPLES",
    "CYCLE",
    "DIVERGENCE_TRIANGLE",
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
    "LABELS_ALONE",
    "LATENT",
    "MULTI_GRID",
    "NCE",
    "RECOVERY",
    "RINGS",
    "SHORT_RUN",
    "SYMBOL_VECTOR",
    "VAE",
    "VARIATIONAL_COOPERATIVE",
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

ABP = Case(
    name="toy/abp-kl",
    recipe="toy/abp",
    metric={"name": "toy/latent-divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    seeds=SEEDS,
    note="a generator of a normal latent vector, by alternating back-propagation",
)

ABP_INCOMPLETE = Case(
    name="toy/abp-incomplete-recovery",
    recipe="toy/abp-incomplete",
    metric={"name": "toy/recovery"},
    better="lower",
    n={"quick": 2000, "full": 2000},
    baselines={"training mean": {"of": "mean"}, "best possible": {"of": "best"}},
    seeds=SEEDS,
    note="error of three hidden coordinates in ten, the mean of eight draws; the best possible is E[hidden | known]",
)

VAE = Case(
    name="toy/vae-kl",
    recipe="toy/vae",
    metric={"name": "toy/latent-divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    seeds=SEEDS,
    note="the generator of toy/latent with a normal latent vector: what an energy there is to improve on",
)

LATENT = Case(
    name="toy/latent-kl",
    recipe="toy/latent",
    metric={"name": "toy/latent-divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    seeds=SEEDS,
    note="an energy on the latent vector",
)

SYMBOL_VECTOR = Case(
    name="toy/symbol-vector-accuracy",
    recipe="toy/symbol-vector",
    metric={"name": "toy/accuracy"},
    better="higher",
    n={"quick": 10_000, "full": 10_000},
    seeds=SEEDS,
    note="two labels a class, and 10,000 events without",
)

LABELS_ALONE = Case(
    name="toy/symbol-vector-labels-alone",
    recipe="toy/symbol-vector",
    metric={"name": "toy/accuracy"},
    better="higher",
    n={"quick": 10_000, "full": 10_000},
    settings={"data.data": {"name": "toy/points", "density": {"name": "toy/embedded"}, "labelled": 16}},
    seeds=SEEDS,
    note="the same with nothing but the events that have labels: what the others are worth",
)

COOPERATIVE = Case(
    name="toy/cooperative-kl",
    recipe="toy/cooperative",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    seeds=SEEDS,
)

COOPERATIVE_SAMPLES = Case(
    name="toy/cooperative-samples",
    recipe="toy/cooperative",
    metric={"name": "toy/samples"},
    better="lower",
    n={"quick": 5000, "full": 5000},
    baselines=FLOOR,
    seeds=SEEDS,
    note="the generator's draws, revised by the energy",
)

COOPERATIVE_CONDITIONAL = Case(
    name="toy/cooperative-conditional-kl",
    recipe="toy/cooperative-conditional",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    seeds=SEEDS,
    note="of p(x | label)",
)

VARIATIONAL_COOPERATIVE = Case(
    name="toy/variational-cooperative-kl",
    recipe="toy/variational-cooperative",
    metric={"name": "toy/divergence"},
    better="lower",
    n={"quick": 10_000, "full": 10_000},
    seeds=SEEDS,
)

DIVERGENCE_TRIANGLE = Case(
    name="toy/divergence-triangle-samples",
    recipe="toy/divergence-triangle",
    metric={"name": "toy/samples"},
    better="lower",
    n={"quick": 5000, "full": 5000},
    baselines=FLOOR,
    seeds=SEEDS,
    note="the generator's draws, with their noise",
)

CYCLE = Case(
    name="toy/cycle-cooperative-translation",
    recipe="toy/cycle-cooperative",
    metric={"name": "toy/translation"},
    better="lower",
    n={"quick": 5000, "full": 5000},
    seeds=SEEDS,
    note="sliced Wasserstein distance of translations from events of the other domain",
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
