"""The metric ``tabular/auroc``: how well the energy distinguishes anomalous from normal rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ebmsuite.dataset import Dataset, first, rows
from ebmsuite.errors import DataError
from ebmsuite.evaluation.curves import auroc, auroc_interval
from ebmsuite.evaluation.protocol import current, facts_of
from ebmsuite.model import Model
from ebmsuite.scores import Score


@dataclass(frozen=True)
class Auroc:
    """Area under the ROC curve and average precision of a score that should be higher on anomalous rows.

    The metric evaluates all rows of ``set`` and ignores n, because it draws no samples. It selects no
    settings on these rows. ``of`` is the "model", whose energy is the score ("energy" in older recipes), or a
    baseline fitted to the training rows: the squared "mahalanobis" distance (mean and full covariance), or
    the squared "norm" of the standardised row. `Table.anomalous` marks the anomalous rows. The interval of
    the area is DeLong's, 95 %. ``base rate`` in the protocol is the fraction of anomalous rows, which is the
    average precision of a random score.
    """

    of: Literal["model", "mahalanobis", "norm", "energy"] = "model"
    set: Literal["valid", "test"] = "test"

    def __call__(
        self, model: Model, data: Mapping[str, Dataset], rng: torch.Generator, n: int
    ) -> Mapping[str, Score]:
        from sklearn.metrics import average_precision_score

        found = data[self.set]
        anomalous = anomalous_rows(found)
        positive, total = int(anomalous.sum()), len(anomalous)
        if positive in (0, total):
            what = "anomalous" if positive == 0 else "normal"
            raise DataError(f"tabular/auroc: no {what} row in {self.set}; set data.target and data.anomaly")
        scores = self.scores(model, data, found)
        of = current(self.of)
        facts: dict[str, Any] = facts_of(model, of, total, found) | {
            "split": self.set,
            "rows": total,
            "anomalous": positive,
            "base rate": round(positive / total, 4),
        }
        if of != "model":
            facts["fitted to"] = len(data["train"])
        precision = float(average_precision_score(anomalous.numpy(), scores.numpy()))
        return {
            "auroc": Score(
                auroc(scores, anomalous),
                *auroc_interval(scores, anomalous),
                {"interval": "DeLong, 95 %", **facts},
            ),
            "average-precision": Score(precision, protocol=facts),
        }

    def scores(self, model: Model, data: Mapping[str, Dataset], found: Dataset) -> Tensor:
        """Return a score, float64 [N], for every row of ``found``; higher means more anomalous."""
        if current(self.of) == "model":
            return torch.cat([model.energy(batch.x).cpu() for batch in rows(found)]).double()
        x = all_rows(found).double()
        if self.of == "norm":
            return x.square().sum(1)
        train = all_rows(data["train"]).double()
        centred = x - train.mean(0)
        covariance = torch.cov(train.T).reshape(x.shape[1], -1) + 1e-6 * torch.eye(x.shape[1], dtype=x.dtype)
        squared: Tensor = (centred * torch.linalg.solve(covariance, centred.T).T).sum(1)
        return squared


def anomalous_rows(dataset: Dataset) -> Tensor:
    """Return the labels ``anomalous`` [N] of a data set. Raises `DataError` if it has none."""
    labels = getattr(dataset, "anomalous", None)
    if not isinstance(labels, Tensor):
        raise DataError(f'{type(dataset).__name__} has no labels "anomalous"; tabular/table has')
    return labels.bool()


def all_rows(dataset: Dataset) -> Tensor:
    """Return all events of a data set, flattened to [N, D]."""
    return first(dataset).x.flatten(1)
