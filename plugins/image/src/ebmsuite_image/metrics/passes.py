"""Samples and reference examples through an extractor, once, with what one must know to compare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, fixed_subset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.protocol import Sampler, Split, facts_of
from ebmsuite.scores import Extractor, Features, Score
from ebmsuite_image.metrics.baselines import Of, baseline
from ebmsuite_image.metrics.examples import pictures, signed

__all__ = ["Seen", "draw", "features_of", "look", "look_at_samples", "protocol_of"]


@dataclass(frozen=True)
class Seen:
    """Features of samples (``fake`` [N, D]) and of the reference (``real`` [M, D]) with their protocol."""

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
        """The score called ``name[extractor]``; ``spread`` is (low, high)."""
        low, high = spread or (None, None)
        metric = f"{name}[{self.protocol['extractor']['id']}]"
        return Score(value, low, high, {"metric": metric, **self.protocol, **(extra or {})})


def draw(model: Sampler, data: Mapping[str, Dataset], rng: torch.Generator, n: int, of: Of, against: Split) -> Tensor:
    """``n`` pictures of the model or baseline: [n, C, H, W], mapped and clamped to [-1, 1] (see `signed`).

    Held-out examples can be fewer than ``n``. Errors: `UserError` when n < 1 or they are not pictures.
    """
    if n < 1:
        raise UserError(f"at least one sample is needed, got n = {n}")
    sampler = model if of == "model" else baseline(of, data, against)
    with torch.no_grad():
        x = signed(sampler.sample(n, rng=rng), split_of(data, "train").event)
    if x.ndim != 4:
        raise UserError(f"image metrics need pictures [N, C, H, W], the samples are {list(x.shape)}")
    return x


def features_of(extractor: Extractor, batches: Iterable[Tensor], device: torch.device) -> Features:
    """What ``extractor`` sees in all ``batches`` of pictures in [-1, 1], evaluated on ``device``.

    Errors: `UserError` when a feature is not finite.
    """
    with torch.no_grad():
        seen = [extractor(x.to(device)) for x in batches]
    features = torch.cat([s.features for s in seen])
    if not torch.isfinite(features).all():
        raise UserError(f"{extractor.id}: features are not finite; are the pictures?")
    logits = [s.logits for s in seen if s.logits is not None]
    if device.type == "mps":  # it has no float64, which the distances need
        return Features(features.cpu(), torch.cat(logits).cpu() if logits else None)
    return Features(features, torch.cat(logits) if logits else None)


def look(
    extractor: Extractor,
    model: Sampler,
    data: Mapping[str, Dataset],
    rng: torch.Generator,
    n: int,
    of: Of,
    against: Split,
) -> Seen:
    """Draw ``n`` samples, pick as many reference examples of ``against`` (all when fewer), look at both."""
    reference = split_of(data, against)
    extractor.prepare(data)  # first: what is missing is to be known before anything is sampled
    x = draw(model, data, rng, n, of, against)
    index = fixed_subset(reference, n)
    fake = features_of(extractor, torch.split(x, 256), x.device)
    real = features_of(extractor, pictures(reference, index), x.device)
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
    extractor: Extractor, model: Sampler, data: Mapping[str, Dataset], rng: torch.Generator, n: int, of: Of
) -> Seen:
    """Draw ``n`` samples and look at them alone: ``real`` is empty."""
    extractor.prepare(data)
    x = draw(model, data, rng, n, of, "test")
    fake = features_of(extractor, torch.split(x, 256), x.device)
    facts = protocol_of(model, split_of(data, "train"), x, of)
    facts["extractor"] = {"id": extractor.id, **extractor.protocol()}
    return Seen(fake, Features(fake.features[:0], None), facts)


def protocol_of(model: Sampler, reference: Dataset, x: Tensor, of: Of) -> dict[str, Any]:
    """What every score of samples ``x`` states of them."""
    return facts_of(model, of, len(x), reference) | {"picture": list(x.shape[1:]), "clamped": [-1.0, 1.0]}
