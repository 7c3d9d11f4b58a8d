"""Anomaly detection: areas under the curves of a model's scores."""

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
from ebmsuite.tasks.anomaly import Decision, Levels, decide, levels_of, weight_of
from ebmsuite_image.anomaly import smooth

__all__ = ["Anomaly"]


@dataclass(frozen=True)
class Anomaly:
    """``auprc`` and ``auroc`` of a model's scores of ``n`` pictures of ``set``, anomalies being the positive ones.

    The scores are those of `ebmsuite.tasks.anomaly.decide` with the settings ``decision``, ``weight``, ``descent``,
    ``noise`` and ``levels``; of their terms there are ``auprc-reconstruction``, ``auprc-smoothed``, ``auprc-energy``
    and ``auprc-ratio``. All pictures are judged when there are no more than ``n``, else a random subset that is always
    the same. The protocol has the share of anomalies, which is the AUPRC of chance, and the smallest AUPRC that there
    is; it cannot be compared across data sets with another share. Data sets are those with ``anomalous`` [N]
    (``image/mnist-anomaly``).

    ``of`` "nearest" puts the distance to the nearest training picture in the place of the model's score: what is to be
    had without learning.
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
