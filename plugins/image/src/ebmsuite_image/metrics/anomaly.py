"""Does a model tell what it was not taught? Areas under the curves of its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, fixed_subset, rows, split_of
from ebmsuite.errors import UserError
from ebmsuite.evaluation.distances import nearest
from ebmsuite.scores import Score
from ebmsuite_image.anomaly import Decision, Levels, decide, levels_of, weight_of
from ebmsuite_image.latents import has_latent
from ebmsuite_image.metrics.examples import Split

if TYPE_CHECKING:
    from ebmsuite.model import Model

__all__ = ["Anomaly", "auprc", "auroc"]


@dataclass(frozen=True)
class Anomaly:
    """``auprc`` and ``auroc`` of a model's scores of ``n`` pictures of ``set``, anomalies being the positive ones.

    The scores are those of `ebmsuite_image.anomaly.decide` with the settings ``decision``, ``weight``, ``descent``,
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
            of, how = "nearest", {}
            train = torch.cat([part.x for part in rows(data["train"], None, 4096)])
            x = torch.cat([batch.x for batch in batches])
            terms = {"score": nearest(x.flatten(1), train.flatten(1))[1]}
        else:
            of, how = self.decision, self._how(model)
            settings = (self.decision, self.weight, self.descent, self.noise, self.levels)
            parts = [decide(model, batch, rng, *settings) for batch in batches]
            terms = {name: torch.cat([part[name].cpu() for part in parts]) for name in parts[0]}
        score, anomalous = terms.pop("score"), known[index]
        facts = {
            "of": of,
            "split": self.set,
            "protocol": str(getattr(dataset, "protocol", "")),
            "held_out": getattr(dataset, "held_out", None),
            "n_samples": len(index),
            "n_anomalies": int(anomalous.sum()),
            "base_rate": round(float(anomalous.double().mean()), 4),
            "smallest_auprc": round(auprc(-torch.arange(len(index)), anomalous.sort().values), 4),
            "pictures": "all" if len(index) == len(dataset) else "fixed random subset, seed 0",
            "model": model.describe(),
            **how,
        }
        note = dataset.note
        facts |= {"data": note} if note else {}
        found = {"auprc": auprc(score, anomalous), "auroc": auroc(score, anomalous)}
        named = {name: (f"{name}[{of}]", value) for name, value in found.items()}
        if len(terms) > 1:
            named |= {f"auprc-{term}": (f"auprc[{term}]", auprc(v, anomalous)) for term, v in terms.items()}
        return {name: Score(value, protocol={"metric": shown, **facts}) for name, (shown, value) in named.items()}

    def _how(self, model: Model) -> dict[str, object]:
        """The settings that the decision depends on."""
        levels = levels_of(model, self.levels)
        how: dict[str, object] = {} if levels is None else {"levels": list(levels)}
        if not has_latent(model):
            return how
        how |= {"descent": self.descent, "noise": self.noise}
        return how | ({"weight": weight_of(model, self.weight)} if self.decision == "posterior" else {})


def auprc(score: Tensor, anomalous: Tensor) -> float:
    """Area under the precision-recall curve by the trapezoidal rule: ``score`` [N] real, ``anomalous`` [N] boolean.

    Rows of equal score pass a threshold together; the curve begins at recall 0 and precision 1.

    Errors: `UserError` unless there are anomalies and others.
    """
    found, seen = _passed(score, anomalous)
    one, zero = found.new_ones(1), found.new_zeros(1)
    return float(torch.trapezoid(torch.cat([one, found / seen]), torch.cat([zero, found / found[-1]])))


def auroc(score: Tensor, anomalous: Tensor) -> float:
    """Area under the receiver operating characteristic: the share of pairs that are in the right order.

    ``score`` [N] real, ``anomalous`` [N] boolean; errors as in `auprc`.
    """
    found, seen = _passed(score, anomalous)
    false, zero = seen - found, found.new_zeros(1)
    return float(torch.trapezoid(torch.cat([zero, found / found[-1]]), torch.cat([zero, false / false[-1]])))


def _passed(score: Tensor, anomalous: Tensor) -> tuple[Tensor, Tensor]:
    """How many anomalies, and how many rows, have at least the score of every threshold, from the highest on."""
    if not anomalous.any() or anomalous.all():
        what = "only" if anomalous.all() else "no"
        raise UserError(f"there are {what} anomalies among the {len(anomalous)} pictures: nothing to tell apart")
    score, order = score.double().sort(descending=True)
    last = torch.cat([score[1:] != score[:-1], torch.ones(1, dtype=torch.bool)])
    found = anomalous[order].double().cumsum(0)[last]
    return found, torch.arange(1, len(score) + 1, dtype=torch.float64)[last]
