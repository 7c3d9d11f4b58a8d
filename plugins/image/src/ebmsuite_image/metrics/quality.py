"""Metrics of picture quality. The setting ``of`` selects what is evaluated: the model, or a baseline without learning.

Every score carries its protocol: the extractor with its input size and resize filter, the split, the counts, the
picture size, the note of the data set, and the model's description. The name of the extractor is part of the name of
the metric, so only the Inception of the published numbers gives ``fid[inception-v3]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from ebmsuite.dataset import Dataset
from ebmsuite.errors import UserError
from ebmsuite.evaluation.distances import frechet, inception_score, kernel_distance, precision_recall
from ebmsuite.evaluation.protocol import SampleSource, Split
from ebmsuite.scores import Extractor, Score
from ebmsuite_image.metrics.baselines import Of
from ebmsuite_image.metrics.passes import OfFeatures, Seen, look, look_at_samples

__all__ = ["Fid", "InceptionScore", "Kid", "PrecisionRecall", "Quality", "fid_score"]

Data = Mapping[str, Dataset]

KID_UNIT = "squared maximum mean discrepancy of the features, 0 for equal distributions, not multiplied by 1,000"


@dataclass(frozen=True)
class Fid(OfFeatures):
    """Frechet distance between ``n`` samples and ``n`` examples of ``set`` (Heusel et al. 2017); lower is better.

    The estimate is biased upwards by O(1/n): compare only values with the same n. Published values use 50,000 samples
    and mostly the training set (``set: train``).
    """

    features: Extractor
    set: Split = "test"
    of: Of = "model"

    def __call__(self, model: SampleSource, data: Data, rng: torch.Generator, n: int) -> Score:
        return fid_score(look(self.features, model, data, rng, n, self.of, self.set))


@dataclass(frozen=True)
class Kid(OfFeatures):
    """Kernel distance between samples and ``set`` (Binkowski et al. 2018), unbiased for any n; lower is better.

    Low and high are the mean minus and plus one sd over ``subsets`` pairs of subsets. A subset has ``size`` rows, or
    half of the smaller set if that is less, because subsets equal to the whole set would not vary.
    """

    features: Extractor
    set: Split = "test"
    subsets: int = 100
    size: int = 1000
    of: Of = "model"

    def __call__(self, model: SampleSource, data: Data, rng: torch.Generator, n: int) -> Score:
        seen = look(self.features, model, data, rng, n, self.of, self.set)
        return _kid(seen, rng, self.subsets, self.size)


@dataclass(frozen=True)
class InceptionScore(OfFeatures):
    """Inception score of ``n`` samples (Salimans et al. 2016) for the extractor's classes; higher is better.

    Low and high are the mean minus and plus one sd over ``splits`` parts. The score uses no reference. Published values
    use 50,000 samples; fewer samples give a lower score.
    """

    features: Extractor
    splits: int = 10
    of: Of = "model"

    def __call__(self, model: SampleSource, data: Data, rng: torch.Generator, n: int) -> Score:
        return _is(look_at_samples(self.features, model, data, rng, n, self.of), self.splits)


@dataclass(frozen=True)
class PrecisionRecall(OfFeatures):
    """``precision`` and ``recall`` from ``k`` nearest neighbours (Kynkaanniemi et al. 2019), both in [0, 1]."""

    features: Extractor
    set: Split = "test"
    k: int = 3
    of: Of = "model"

    def __call__(self, model: SampleSource, data: Data, rng: torch.Generator, n: int) -> Mapping[str, Score]:
        return _precision_recall(look(self.features, model, data, rng, n, self.of, self.set), self.k)


@dataclass(frozen=True)
class Quality(OfFeatures):
    """Computes ``fid``, ``kid``, ``precision``, ``recall`` and ``is`` from one set of samples.

    ``is`` is omitted when the extractor has no classes. The settings are those of `Fid`, `Kid`, `PrecisionRecall` and
    `InceptionScore`.
    """

    features: Extractor
    set: Split = "test"
    k: int = 3
    subsets: int = 100
    size: int = 1000
    splits: int = 10
    of: Of = "model"

    def __call__(self, model: SampleSource, data: Data, rng: torch.Generator, n: int) -> Mapping[str, Score]:
        seen = look(self.features, model, data, rng, n, self.of, self.set)
        scores = {"fid": fid_score(seen), "kid": _kid(seen, rng, self.subsets, self.size)}
        scores |= _precision_recall(seen, self.k)
        return scores if seen.fake.logits is None else scores | {"is": _is(seen, self.splits)}


def fid_score(seen: Seen) -> Score:
    """The Frechet distance of ``seen``, with a caution when there are too few pictures for its features."""
    a, b = seen.fake.features, seen.real.features
    caution = {}
    if min(len(a), len(b)) <= a.shape[1]:
        caution["caution"] = f"no more pictures than features ({a.shape[1]}): a singular covariance, a value too large"
    return seen.score("fid", frechet(a, b), extra=caution)


def _kid(seen: Seen, rng: torch.Generator, subsets: int, size: int) -> Score:
    a, b = seen.fake.features, seen.real.features
    size = min(size, min(len(a), len(b)) // 2)
    mean, sd = kernel_distance(a, b, subsets, size, rng)
    spread = (mean - sd, mean + sd)
    facts = {"unit": KID_UNIT, "subsets": subsets, "subset_size": size, "interval": "1 sd of subsets"}
    return seen.score("kid", mean, spread, facts)


def _precision_recall(seen: Seen, k: int) -> dict[str, Score]:
    precision, recall = precision_recall(seen.real.features, seen.fake.features, k)
    return {
        "precision": seen.score("precision", precision, extra={"k": k}),
        "recall": seen.score("recall", recall, extra={"k": k}),
    }


def _is(seen: Seen, splits: int) -> Score:
    if seen.fake.logits is None:
        extractor = seen.protocol["extractor"]["id"]
        raise UserError(f"the inception score needs an extractor with classes; {extractor} has none")
    mean, sd = inception_score(seen.fake.logits, splits)
    spread = (mean - sd, mean + sd) if splits > 1 else None
    return seen.score("is", mean, spread, {"splits": splits, "interval": "1 sd of splits"})
