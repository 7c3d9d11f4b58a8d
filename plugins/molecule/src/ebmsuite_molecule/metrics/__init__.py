"""Metrics of sets of molecules: validity, distances to held-out molecules, and baselines."""

from __future__ import annotations

from ebmsuite_molecule.metrics.chemnet import ChemNet
from ebmsuite_molecule.metrics.distances import (
    cosine,
    internal_diversity,
    nearest,
    tanimoto,
    wasserstein,
    wilson,
)
from ebmsuite_molecule.metrics.distribution import Distribution
from ebmsuite_molecule.metrics.samples import Of, TokenSource, drawn
from ebmsuite_molecule.metrics.validity import Counted, Validity, counted, training_forms

__all__ = [
    "ChemNet",
    "Counted",
    "Distribution",
    "Of",
    "TokenSource",
    "Validity",
    "cosine",
    "counted",
    "drawn",
    "internal_diversity",
    "nearest",
    "tanimoto",
    "training_forms",
    "wasserstein",
    "wilson",
]
