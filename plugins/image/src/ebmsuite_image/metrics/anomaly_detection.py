"""Anomaly detection metrics: AUPRC and AUROC of a model's anomaly scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, first, fixed_subset, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.curves import auprc, auroc
from ebmsuite.evaluation.distances import nearest
from ebmsuite.evaluation.protocol import Split, facts_of
from ebmsuite.model import Model
from ebmsuite.scores import Score
from ebmsuite.tasks.anomaly_scores import Decision, Levels, decide, levels_of, weight_of
from ebmsuite_image.smoothing import smooth

__all__ = ["AnomalyDetection"]


@dataclass(frozen=True)
class AnomalyDetection:
    """``auprc`` and ``auroc`` of a model's anomaly scores on ``n`` pictures of ``set``; anomalies are the positives.

    The scores come from `ebmsuite.tasks.anomaly_scores.decide` with the settings ``decision``, ``weight``, ``descent``,
    ``noise`` and ``levels``. If a score has several terms, the metric also gives the AUPRC of each:
    ``auprc-reconstruction``, ``auprc-smoothed``, ``auprc-energy`` and ``auprc-ratio``, as far as the model has them. If
    there are more than ``n`` pictures, a fixed random subset is evaluated. The protocol records the share of anomalies,
    which is the AUPRC of a random score, and the smallest possible AUPRC. AUPRC cannot be compared between data sets
    with different shares. The data set must have ``anomalous`` [N] (as ``image/mnist-anomaly`` has).

    ``of`` "nearest" replaces the model's score by the distance to the nearest training picture, a baseline without
    learning.
    """

    decision: Decision = "posterior"
    weight: float | None = None
    descent: int = 0
    noise: bool = True
    levels: Levels = None
    set: Split = "test"
    of: Literal["model", "nearest"] = "model"

    def __call__(self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int) -> Mapping[str, Score]:
        dataset = split_of(data, self.set)
        known: Tensor | None = getattr(dataset, "anomalous", None)
        if known is None:
            raise UserError("image/anomaly: these data do not say what an anomaly is; use image/mnist-anomaly")
        index = fixed_subset(dataset, n)
        batches = (dataset.batch(part, torch.zeros_like(part)) for part in torch.split(index, 1000))
        if self.of == "nearest":
            shown, how = "nearest", {}
            train = first(split_of(data, "train")).x
            x = torch.cat([batch.x for batch in batches])
            terms = {"score": nearest(x.flatten(1), train.flatten(1))[1]}
        else:
            shown, how = self.decision, self._how(model)
            settings = (self.decision, self.weight, self.descent, self.noise, self.levels, smooth)
            parts = [decide(model, batch, rng, *settings) for batch in batches]
            terms = {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}
        score, anomalous = terms.pop("score"), known[index]
        facts = facts_of(model, self.of, len(index), dataset) | {
            "split": self.set,
            "protocol": str(getattr(dataset, "protocol", "")),
            "held_out": getattr(dataset, "held_out", None),
            "n_anomalies": int(anomalous.sum()),
            "base_rate": round(float(anomalous.double().mean()), 4),
            "smallest_auprc": round(auprc(-torch.arange(len(index)), anomalous.sort().values), 4),
            "pictures": "all" if len(index) == len(dataset) else "fixed random subset, seed 0",
            **how,
        }
        found = {"auprc": auprc(score, anomalous), "auroc": auroc(score, anomalous)}
        named = {name: (f"{name}[{shown}]", value) for name, value in found.items()}
        if len(terms) > 1:
            named |= {f"auprc-{term}": (f"auprc[{term}]", auprc(v, anomalous)) for term, v in terms.items()}
        return {name: Score(value, protocol={"metric": metric, **facts}) for name, (metric, value) in named.items()}

    def _how(self, model: Model) -> dict[str, object]:
        """The settings that the decision depends on."""
        levels = levels_of(model, self.levels)
        how: dict[str, object] = {"decision": self.decision}
        how |= {} if levels is None else {"levels": list(levels)}
        if not model.has_latent:
            return how
        how |= {"descent": self.descent, "noise": self.noise}
        return how | ({"weight": weight_of(model, self.weight)} if self.decision == "posterior" else {})
