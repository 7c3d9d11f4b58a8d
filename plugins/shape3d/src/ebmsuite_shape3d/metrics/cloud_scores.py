"""The metric ``shape3d/clouds``: two-sample comparisons of point clouds by Chamfer and earth mover's distances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, first, fixed_batch, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import facts_of
from ebmsuite.evaluation.two_sample import closest, nearest_distance, pairwise, two_sample
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite_shape3d.distances import chamfer, earth_mover, jensen_shannon
from ebmsuite_shape3d.metrics.hidden_voxels import left_out

__all__ = ["Clouds", "Of", "rescaled"]

Of = Literal["model", "training", "gaussian", "pooled-points", "jittered"]
"""Whose clouds are evaluated. ``training``: a random part of the training clouds, what a perfect model would get, up to
chance. ``gaussian``: points of the normal distribution with the mean and covariance of all training points.
``pooled-points``: points drawn from all training points. ``jittered``: copies of training clouds with noise of 0.01."""


@dataclass(frozen=True)
class Clouds:
    """Compares as many clouds as there are references, at most ``n``, with those of the split ``set``.

    Scores: the four of `ebmsuite.evaluation.two_sample` with the Chamfer distance and, with ``emd``, with the exact
    earth mover's distance (``1-nna-emd``, ...); ``jsd``, the Jensen-Shannon divergence on 28^3 cells;
    ``train-distance`` and ``train-distinct``, the mean Chamfer distance to the nearest training cloud and the share of
    distinct nearest training clouds, which is small for collapsed samples. With ``rescale``, samples are first scaled
    per axis to the standard deviation of the references, as published: this flatters a model with a wrong scale.
    """

    of: Of = "model"
    set: Literal["train", "valid", "test"] = "test"
    emd: bool = False
    rescale: bool = False

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        dataset = split_of(data, self.set)
        if len(dataset.event.shape) != 2 or dataset.event.shape[-1] != 3:
            raise UserError("shape3d/clouds evaluates point clouds [P, 3]")
        reference = fixed_batch(dataset, n).x
        training = first(split_of(data, "train")).x
        samples = self._samples(model, training, len(reference), rng)
        reference = reference[: len(samples)]
        if self.rescale:
            samples = rescaled(samples, reference)
        facts = facts_of(model, self.of, len(samples), dataset) | {
            "set": self.set, "points": reference.shape[1], "rescaled": self.rescale, **left_out(dataset),
        }  # fmt: skip
        kinds = {"": ("Chamfer, squared", chamfer)} | ({"-emd": ("EMD, exact", earth_mover)} if self.emd else {})
        scores: dict[str, Score] = {}
        for ending, (name, distance) in kinds.items():
            ss, sr, rr = (
                pairwise(distance, a, b) for a, b in ((samples, samples), (samples, reference), (reference, reference))
            )
            for key, score in two_sample(ss, sr, rr).items():
                scores[key + ending] = _with(score, {**facts, "distance": name})
        scores["jsd"] = Score(jensen_shannon(samples, reference), protocol={**facts, "cells": "28^3 of [-1, 1]^3"})
        to_training = pairwise(chamfer, samples, training)
        scores["train-distance"] = _with(nearest_distance(to_training), facts)
        distinct = len(set(closest(to_training)[0].tolist()))
        scores["train-distinct"] = Score(distinct / len(samples), protocol={**facts, "distinct": distinct})
        return scores

    def _samples(self, model: Model, training: Tensor, n: int, rng: torch.Generator) -> Tensor:
        host = torch.Generator().manual_seed(int(torch.randint(2**31, (), generator=rng, device=rng.device)))
        if self.of == "model":
            return model.sample(n, rng=rng).cpu()
        if self.of in ("training", "jittered"):
            chosen = training[torch.randperm(len(training), generator=host)[:n]]
            noise = torch.randn(chosen.shape, generator=host)
            return chosen + 0.01 * noise if self.of == "jittered" else chosen
        pool, shape = training.reshape(-1, 3), (n, training.shape[1])
        if self.of == "pooled-points":
            return pool[torch.randint(len(pool), shape, generator=host)]
        factor = torch.linalg.cholesky(torch.cov(pool.T))
        drawn: Tensor = pool.mean(0) + torch.randn(*shape, 3, generator=host) @ factor.T
        return drawn


def rescaled(samples: Tensor, reference: Tensor) -> Tensor:
    """``samples`` [N, P, 3] with the standard deviation per axis, over all points, of ``reference``."""
    sd = [x.reshape(-1, 3).std(0) for x in (samples, reference)]
    return samples * sd[1] / sd[0]


def _with(score: Score, facts: Mapping[str, object]) -> Score:
    return Score(score.value, score.low, score.high, {**facts, **score.protocol})
