"""Distances of generated molecules to held-out molecules, as defined by MOSES (Polykovskiy et al. 2020)."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.evaluation.distances import frechet
from ebmsuite.scores import Score
from ebmsuite_molecule import chemistry, workers
from ebmsuite_molecule.metrics.chemnet import ChemNet, installed
from ebmsuite_molecule.metrics.distances import (
    bit_rows,
    cosine,
    internal_diversity,
    nearest,
    wasserstein,
)
from ebmsuite_molecule.metrics.samples import (
    Of,
    Split,
    TokenSource,
    drawn,
    facts_of,
    facts_of_data,
    fixed_part,
    split_of,
)

__all__ = ["Distribution", "Group"]

Group = Literal["fcd", "neighbours", "fragments", "scaffolds", "diversity", "properties"]

_STAND_IN = "C"
"""Methane, the substitute for a set with too few valid molecules."""


@dataclass(frozen=True)
class Distribution:
    """Compare the valid molecules among ``n`` strings with a fixed subset of at most ``most`` molecules of ``set``.

    ``fcd``: Frechet ChemNet distance, lower is better; absent if fcd_torch is not installed. ``snn``: mean Tanimoto
    similarity to the nearest held-out molecule. ``fragments`` and ``scaffolds``: cosine similarity of the counts of
    BRICS fragments and of Bemis-Murcko scaffolds with at least two rings. ``diversity``: 1 - mean similarity of the
    samples. ``logp``, ``qed``, ``sa``, ``weight``: Wasserstein-1 distances, each in the unit of the property.
    ``groups`` are computed in the given order; "properties" is the last four.

    All scores use only the valid molecules, including repetitions, so read them together with the validity. If fewer
    than two molecules are valid, two molecules of methane replace them, which gives poor scores, and the protocol
    records this.
    """

    set: Split = "test"
    of: Of = "samples"
    groups: tuple[Group, ...] = ("fcd", "neighbours", "fragments", "scaffolds", "diversity", "properties")
    most: int = 10_000

    def __call__(
        self, model: TokenSource, data: Mapping[str, Dataset], rng: torch.Generator, n: int
    ) -> Mapping[str, Score]:
        reference = split_of(data, self.set)
        strings = drawn(model, data, rng, n, self.of, self.set)
        valid = [form for form in workers.each("canonical", strings) if form]
        held = fixed_part(reference.strings, self.most)
        facts = facts_of(model, self.of, strings) | {
            "valid": len(valid),
            "split": self.set,
            "n_reference": len(held),
            "reference": "all" if len(held) == len(reference) else "fixed random subset, seed 0",
            "rdkit": chemistry.VERSION,
        }
        facts |= facts_of_data(reference)
        if len(valid) < 2:
            valid, facts["caution"] = [_STAND_IN] * 2, "fewer than 2 valid molecules: two of methane stand in for them"
        if "fcd" in self.groups and not installed():
            facts["fcd"] = "not installed"
        ours, theirs = _Set(valid), _of_held_out(tuple(held))
        scores: dict[str, Score] = {}
        for group in self.groups:
            scores |= _GROUPS[group](ours, theirs, facts)
        return scores


class _Set:
    """A set of molecules whose features are computed on first use."""

    def __init__(self, forms: Sequence[str]) -> None:
        self.forms = forms

    @functools.cached_property
    def features(self) -> Tensor:
        return ChemNet().of_strings(self.forms)

    @functools.cached_property
    def bits(self) -> Tensor:
        return bit_rows([bits for _, _, bits, _ in self._anatomy])

    @functools.cached_property
    def fragments(self) -> Counter[str]:
        return Counter(f for parts, _, _, _ in self._anatomy for f in parts)

    @functools.cached_property
    def scaffolds(self) -> Counter[str]:
        return Counter(scaffold for _, scaffold, _, _ in self._anatomy if scaffold)

    @functools.cached_property
    def values(self) -> NDArray[np.float64]:
        """The properties [N, 4], in the order of `chemistry.PROPERTIES`."""
        return np.array([values for _, _, _, values in self._anatomy])

    @functools.cached_property
    def _anatomy(self) -> list[chemistry.Anatomy]:
        return workers.each("anatomy", self.forms)


@functools.lru_cache(maxsize=4)
def _of_held_out(strings: tuple[str, ...]) -> _Set:
    """Return the reference set; cached, because all models and evaluations use the same one."""
    return _Set(workers.each("canonical", strings))


Facts = Mapping[str, Any]


def _fcd(ours: _Set, theirs: _Set, facts: Facts) -> dict[str, Score]:
    if not installed():
        return {}
    a, b = ours.features, theirs.features
    more: dict[str, Any] = {"extractor": {"id": ChemNet.id, **ChemNet().protocol()}}
    if min(len(a), len(b)) <= a.shape[1] and "caution" not in facts:
        more["caution"] = f"no more molecules than features ({a.shape[1]}): a singular covariance, a value too large"
    return {"fcd": _score("fcd[chemnet]", frechet(a, b), facts, **more)}


def _neighbours(ours: _Set, theirs: _Set, facts: Facts) -> dict[str, Score]:
    _, near = nearest(ours.bits, theirs.bits)
    mean, error = float(near.mean()), float(near.std()) / math.sqrt(len(near))
    name = f"snn[morgan{chemistry.RADIUS}-{chemistry.BITS}]"
    return {
        "snn": Score(mean, mean - error, mean + error, {"metric": name, **facts, "interval": "1 standard error"}),
    }


def _fragments(ours: _Set, theirs: _Set, facts: Facts) -> dict[str, Score]:
    return {"fragments": _score("fragment similarity", cosine(ours.fragments, theirs.fragments), facts)}


def _scaffolds(ours: _Set, theirs: _Set, facts: Facts) -> dict[str, Score]:
    return {"scaffolds": _score("scaffold similarity", cosine(ours.scaffolds, theirs.scaffolds), facts)}


def _diversity(ours: _Set, theirs: _Set, facts: Facts) -> dict[str, Score]:
    value, other = internal_diversity(ours.bits), internal_diversity(theirs.bits)
    return {"diversity": _score("internal diversity", value, facts, of_reference=other)}


def _properties(ours: _Set, theirs: _Set, facts: Facts) -> dict[str, Score]:
    return {
        name: _score(
            f"W1 of {name}",
            wasserstein(ours.values[:, i], theirs.values[:, i]),
            facts,
            mean=float(ours.values[:, i].mean()),
            mean_of_reference=float(theirs.values[:, i].mean()),
        )
        for i, name in enumerate(chemistry.PROPERTIES)
    }


def _score(metric: str, value: float, facts: Facts, **more: Any) -> Score:
    return Score(value, protocol={"metric": metric, **facts, **more})


_GROUPS: Mapping[Group, Callable[[_Set, _Set, Facts], dict[str, Score]]] = {
    "fcd": _fcd,
    "neighbours": _neighbours,
    "fragments": _fragments,
    "scaffolds": _scaffolds,
    "diversity": _diversity,
    "properties": _properties,
}
