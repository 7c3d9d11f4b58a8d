"""Metric that detects whether a model repeats its training examples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, fixed_subset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.distances import nearest
from ebmsuite.evaluation.protocol import SampleSource, Split
from ebmsuite.scores import Extractor, Features, Score
from ebmsuite_image.metrics.baselines import Of
from ebmsuite_image.metrics.examples import picture_batches
from ebmsuite_image.metrics.passes import OfFeatures, draw, features_of, protocol_of

__all__ = ["NearestNeighbours", "PlainPixels"]


class PlainPixels(Extractor):
    """Gives the pixels as features [B, C H W], for nearest neighbours without a net."""

    id = "pixels"

    def __call__(self, x: Tensor) -> Features:
        return Features(x.flatten(1), None)


@dataclass(frozen=True)
class NearestNeighbours(OfFeatures):
    """Mean distance of samples to their nearest training examples, divided by the same mean for unseen real examples.

    The ratio is about 1 if the samples follow the distribution of the training set, near 0 if they repeat training
    examples, and above 1 if they are unlike all examples. Distances are Euclidean between ``features``, or between
    pixels when None. The unseen examples are ``n`` of ``set``. The search covers all training examples, or a fixed
    subset of ``among`` of them (the ratio is then closer to 1). Low and high are the ratio minus and plus one standard
    error.
    """

    features: Extractor | None = None
    set: Split = "test"
    among: int | None = None
    of: Of = "model"

    def __call__(self, model: SampleSource, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Score:
        if self.set == "train":
            raise UserError('set: examples of "train" are not unseen; compare with "valid" or "test"')
        train, unseen = split_of(data, "train"), split_of(data, self.set)
        extractor = self.features or PlainPixels()
        extractor.prepare(data)
        x = draw(model, data, rng, n, self.of, "train")
        searched, others = fixed_subset(train, self.among or len(train)), fixed_subset(unseen, n)
        known = features_of(extractor, picture_batches(train, searched), x.device).features
        _, near = nearest(features_of(extractor, torch.split(x, 256), x.device).features, known)
        _, usual = nearest(features_of(extractor, picture_batches(unseen, others), x.device).features, known)
        if float(usual.mean()) == 0:
            raise UserError(f'every example of "{self.set}" is in the training set: none is unseen')
        ratio = float(near.mean() / usual.mean())
        error = ratio * math.hypot(_relative_error(near), _relative_error(usual))
        protocol = protocol_of(model, unseen, x, self.of) | {
            "metric": f"nearest[{extractor.id}]",
            "split": self.set,
            "n_reference": len(others),
            "n_train": len(searched),
            "exact_copies": int((near == 0).sum()),
            "interval": "1 standard error",
            "extractor": {"id": extractor.id, **extractor.protocol()},
        }
        return Score(ratio, ratio - error, ratio + error, protocol)


def _relative_error(x: Tensor) -> float:
    mean = float(x.mean())
    return float(x.std()) / math.sqrt(len(x)) / mean if len(x) > 1 and mean > 0 else 0.0
