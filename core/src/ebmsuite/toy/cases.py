"""The rows of the toy suite: every method on a density that is known."""

from __future__ import annotations

from ebmsuite.scores import Case

__all__ = ["EIGHT_GAUSSIANS", "NCE", "RINGS", "SHORT_RUN"]

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
