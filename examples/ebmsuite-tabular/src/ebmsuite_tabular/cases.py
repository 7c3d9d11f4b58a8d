"""The evaluation cases: the rows of ``ebm evaluate tabular``."""

from __future__ import annotations

from ebmsuite.scores import Case

BREAST_CANCER_AUROC = Case(
    name="tabular/breast-cancer-auroc",
    recipe="tabular/first",
    metric={"name": "tabular/auroc"},
    better="higher",
    n={"quick": 1000, "full": 1000},
    bar={"full": 0.95},
    baselines={"Mahalanobis": {"of": "mahalanobis"}, "distance from the mean": {"of": "norm"}},
    seeds={"quick": 1, "full": 3},
    note="learned from 250 benign rows; settings chosen on valid",
)

BREAST_CANCER_TWO_SAMPLE = Case(
    name="tabular/breast-cancer-two-sample",
    recipe="tabular/first",
    metric={"name": "tabular/two-sample"},
    better="lower",
    n={"quick": 1000, "full": 1000},
    baselines={"real rows": {"of": "held-out"}, "independent Gaussians": {"of": "gaussian"}},
    seeds={"quick": 1, "full": 3},
    note="energy distance in standardised units, as many samples as held-out benign rows",
)
