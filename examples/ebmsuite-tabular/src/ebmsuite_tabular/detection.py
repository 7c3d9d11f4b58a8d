"""The metric ``tabular/auroc``: is the energy higher on anomalous rows?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.dataset import Dataset, rows
from ebmsuite.errors import DataError
from ebmsuite.model import Model
from ebmsuite.scores import Score


@dataclass(frozen=True)
class Auroc:
    """Area under the ROC curve and average precision of a score that should be higher on anomalous rows.

    All rows of ``set`` are judged, whatever n is: nothing is drawn, and nothing is chosen on them. ``of`` is
    the "energy" of the model or a baseline fitted to the training rows: the squared "mahalanobis" distance
    (mean and full covariance), or the squared "norm" of the standardised row. Anomalous rows are those of
    `Table.anomalous`. The interval of the area is DeLong's, 95 %; ``base rate`` in the protocol is the share
    of anomalous rows, which is the average precision of a score that knows nothing.
    """

    of: Literal["energy", "mahalanobis", "norm"] = "energy"
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
        area, low, high = auroc(scores[anomalous], scores[~anomalous])
        facts: dict[str, Any] = {
            "split": self.set,
            "of": self.of,
            "rows": total,
            "anomalous": positive,
            "base rate": round(positive / total, 4),
            **(model.describe() if self.of == "energy" else {"fitted to": len(data["train"])}),
        }
        precision = float(average_precision_score(anomalous, scores))
        return {
            "auroc": Score(area, low, high, {"interval": "DeLong, 95 %", **facts}),
            "average-precision": Score(precision, protocol=facts),
        }

    def scores(self, model: Model, data: Mapping[str, Dataset], found: Dataset) -> NDArray[np.float64]:
        """A score [N] for every row of ``found``, higher is stranger."""
        if self.of == "energy":
            parts = [model.energy(batch.x).cpu() for batch in rows(found)]
            energies: NDArray[np.float64] = torch.cat(parts).double().numpy()
            return energies
        x = all_rows(found).double()
        if self.of == "norm":
            return x.square().sum(1).numpy()
        train = all_rows(data["train"]).double()
        centred = x - train.mean(0)
        covariance = torch.cov(train.T).reshape(x.shape[1], -1) + 1e-6 * torch.eye(x.shape[1], dtype=x.dtype)
        distance = (centred * torch.linalg.solve(covariance, centred.T).T).sum(1)
        squared: NDArray[np.float64] = distance.numpy()
        return squared


def anomalous_rows(dataset: Dataset) -> NDArray[np.bool_]:
    """The labels [N] of a data set that has them in ``anomalous``; `DataError` for one that has not."""
    labels = getattr(dataset, "anomalous", None)
    if not isinstance(labels, Tensor):
        raise DataError(f'{type(dataset).__name__} has no labels "anomalous"; tabular/table has')
    return labels.numpy().astype(np.bool_)


def all_rows(dataset: Dataset) -> Tensor:
    """All events of a data set, flattened, [N, D]."""
    return torch.cat([batch.x for batch in rows(dataset)]).flatten(1)


def auroc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> tuple[float, float, float]:
    """P(positive score > negative score), ties a half, and its 95 % interval (DeLong et al., 1988)."""
    wins, losses = _beaten(positive, negative), 1 - _beaten(negative, positive)
    area = float(wins.mean())
    parts = [np.var(place, ddof=1) / len(place) for place in (wins, losses) if len(place) > 1]
    spread = 1.96 * float(np.sqrt(sum(parts)))
    return area, max(area - spread, 0.0), min(area + spread, 1.0)


def _beaten(scores: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """For every score [N] the share of ``others`` below it, ties counting a half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    shares: NDArray[np.float64] = below / (2 * len(others))
    return shares
