"""Validity, uniqueness and novelty: how many samples are valid, distinct, and absent from the training set."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import torch

from ebmsuite.dataset import Dataset
from ebmsuite.scores import Score
from ebmsuite.tokens import CUT
from ebmsuite_molecule import chemistry, workers
from ebmsuite_molecule.metrics.distances import wilson
from ebmsuite_molecule.metrics.samples import Of, TokenSource, drawn, facts_of, facts_of_data, split_of

__all__ = ["Counted", "Validity", "counted", "training_forms"]


@dataclass(frozen=True)
class Counted:
    """Counts of generated strings. ``forms`` are their canonical SMILES, "" for an invalid string."""

    forms: tuple[str, ...]
    empty: int
    distinct: int
    novel: int

    @property
    def generated(self) -> int:
        return len(self.forms)

    @property
    def valid(self) -> int:
        return sum(map(bool, self.forms))


@dataclass(frozen=True)
class Validity:
    """``validity``, ``uniqueness`` and ``novelty`` of ``n`` strings drawn in one call, and ``length`` in characters.

    Validity without check is valid / generated (`ebmsuite_molecule.chemistry.parse`). The empty string, strings with
    dummy atoms and strings that were cut off before their end (``truncated`` in the protocol) are invalid. Uniqueness
    is distinct / valid. Novelty is the fraction of the distinct molecules that are not in the training set. Both
    compare RDKit's canonical SMILES with stereochemistry (MOSES), and both are 0 if the denominator is 0. Intervals are
    Wilson's at 95%. Uniqueness decreases as n grows, so its interval holds only for this n.
    """

    of: Of = "samples"

    def __call__(
        self, model: TokenSource, data: Mapping[str, Dataset], rng: torch.Generator, n: int
    ) -> Mapping[str, Score]:
        train = split_of(data, "train")
        strings = drawn(model, data, rng, n, self.of, "train")
        found = counted(strings, training_forms(train.strings))
        facts = facts_of(model, self.of, strings) | {
            "generated": found.generated,
            "valid": found.valid,
            "distinct": found.distinct,
            "novel": found.novel,
            "empty": found.empty,
            "n_train": len(train),
            "rdkit": chemistry.VERSION,
        }
        facts |= facts_of_data(train)
        lengths = [len(s.removesuffix(CUT)) for s in strings]
        spread = statistics.stdev(lengths) / len(lengths) ** 0.5 if len(lengths) > 1 else 0.0
        mean = statistics.fmean(lengths)

        def share(metric: str, k: int, total: int, **more: float) -> Score:
            return Score(k / total if total else 0.0, *wilson(k, total), {"metric": metric, **facts, **more})

        # sampling with a check redraws invalid strings
        draws = {"draws_a_molecule": found.generated / found.valid} if found.valid else {}
        return {
            "validity": share("validity without check", found.valid, found.generated, **draws),
            "uniqueness": share(
                "uniqueness", found.distinct, found.valid, of_generated=found.distinct / found.generated
            ),
            "novelty": share("novelty", found.novel, found.distinct),
            "length": Score(
                mean, mean - spread, mean + spread, {"metric": "mean length", **facts, "interval": "1 standard error"}
            ),
        }


def counted(strings: Sequence[str], known: Set[str]) -> Counted:
    """Count valid, distinct and novel strings. ``known`` are the canonical SMILES of the training set."""
    forms = workers.each("canonical", strings)
    distinct = {form for form in forms if form}
    return Counted(tuple(forms), sum(not s for s in strings), len(distinct), len(distinct - known))


def training_forms(strings: Sequence[str]) -> frozenset[str]:
    """Return the canonical SMILES of the training molecules; cached, because each takes 0.3 ms."""
    return frozenset(workers.each("canonical", strings, remember=True)) - {""}
