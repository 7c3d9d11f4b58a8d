"""Computes features of samples and reference examples, and records the protocol needed to compare scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, fixed_subset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import SampleSource, Split, facts_of
from ebmsuite.scores import Extractor, Features, Score
from ebmsuite_image.metrics.baselines import Of, baseline
from ebmsuite_image.metrics.examples import picture_batches, signed

__all__ = ["OfFeatures", "Seen", "draw", "features_of", "look", "look_at_samples", "protocol_of"]


class OfFeatures:
    """A metric whose setting ``features`` is an extractor, which is prepared before training starts."""

    features: Extractor | None

    def prepare(self, data: Mapping[str, Dataset]) -> None:
        if self.features is not None:
            self.features.prepare(data)


@dataclass(frozen=True)
class Seen:
    """Features of samples (``fake`` [N, D]) and of reference examples (``real`` [M, D]), with their protocol."""

    fake: Features
    real: Features
    protocol: Mapping[str, Any]

    def score(
        self,
        name: str,
        value: float,
        spread: tuple[float, float] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Score:
        """Make the score with the metric name ``name[extractor]``; ``spread`` is (low, high)."""
        low, high = spread or (None, None)
        metric = f"{name}[{self.protocol['extractor']['id']}]"
        return Score(value, low, high, {"metric": metric, **self.protocol, **(extra or {})})


def draw(
    model: SampleSource, data: Mapping[str, Dataset], rng: torch.Generator, n: int, of: Of, against: Split
) -> Tensor:
    """Draw ``n`` pictures of the model or baseline: [n, C, H, W], mapped and clamped to [-1, 1] (see `signed`).

    There may be fewer than ``n`` held-out examples. Errors: `UserError` when n < 1 or the samples are not pictures.
    """
    if n < 1:
        raise UserError(f"at least one sample is needed, got n = {n}")
    source = model if of == "model" else baseline(of, data, against, model)
    with torch.no_grad():
        x = signed(source.sample(n, rng=rng), split_of(data, "train").event)
    if x.ndim != 4:
        raise UserError(f"image metrics need pictures [N, C, H, W], the samples are {list(x.shape)}")
    return x


def features_of(extractor: Extractor, batches: Iterable[Tensor], device: torch.device) -> Features:
    """Features (and logits) of all ``batches`` of pictures in [-1, 1] from ``extractor``, computed on ``device``.

    Errors: `UserError` when a feature is not finite.
    """
    with torch.no_grad():
        seen = [extractor(x.to(device)) for x in batches]
    features = torch.cat([s.features for s in seen])
    if not torch.isfinite(features).all():
        raise UserError(f"{extractor.id}: features are not finite; are the pictures?")
    logits = [s.logits for s in seen if s.logits is not None]
    if device.type == "mps":  # MPS has no float64, which the distances need
        return Features(features.cpu(), torch.cat(logits).cpu() if logits else None)
    return Features(features, torch.cat(logits) if logits else None)


def look(
    extractor: Extractor,
    model: SampleSource,
    data: Mapping[str, Dataset],
    rng: torch.Generator,
    n: int,
    of: Of,
    against: Split,
) -> Seen:
    """Features of ``n`` samples and of ``n`` reference examples of ``against`` (of all, if there are fewer)."""
    reference = split_of(data, against)
    extractor.prepare(data)  # first, so that missing weights or data are reported before sampling starts
    x = draw(model, data, rng, n, of, against)
    index = fixed_subset(reference, n)
    fake = features_of(extractor, torch.split(x, 256), x.device)
    real = features_of(extractor, picture_batches(reference, index), x.device)
    return Seen(
        fake,
        real,
        protocol_of(model, reference, x, of)
        | {
            "split": against,
            "n_reference": len(index),
            "reference": "all" if len(index) == len(reference) else "fixed random subset, seed 0",
            "extractor": {"id": extractor.id, **extractor.protocol()},
        },
    )


def look_at_samples(
    extractor: Extractor, model: SampleSource, data: Mapping[str, Dataset], rng: torch.Generator, n: int, of: Of
) -> Seen:
    """Features of ``n`` samples without a reference: ``real`` is empty."""
    extractor.prepare(data)
    x = draw(model, data, rng, n, of, "test")
    fake = features_of(extractor, torch.split(x, 256), x.device)
    facts = protocol_of(model, split_of(data, "train"), x, of)
    facts["extractor"] = {"id": extractor.id, **extractor.protocol()}
    return Seen(fake, Features(fake.features[:0], None), facts)


def protocol_of(model: SampleSource, reference: Dataset, x: Tensor, of: Of) -> dict[str, Any]:
    """The facts about samples ``x`` that every score of them records."""
    return facts_of(model, of, len(x), reference) | {"picture": list(x.shape[1:]), "clamped": [-1.0, 1.0]}
