"""How well a score separates two kinds of examples: areas under curves."""

from __future__ import annotations

import torch
from torch import Tensor

from ebmsuite.errors import UserError

__all__ = ["auprc", "auroc", "auroc_interval"]


def auprc(score: Tensor, positive: Tensor) -> float:
    """Area under the precision-recall curve by the trapezoidal rule: ``score`` [N] real, ``positive`` [N] boolean.

    Rows of equal score pass a threshold together; the curve begins at recall 0 and precision 1.

    Errors: `UserError` unless there are examples of both kinds.
    """
    found, seen = _passed(score, positive)
    one, zero = found.new_ones(1), found.new_zeros(1)
    return float(torch.trapezoid(torch.cat([one, found / seen]), torch.cat([zero, found / found[-1]])))


def auroc(score: Tensor, positive: Tensor) -> float:
    """Area under the receiver operating characteristic: the share of pairs whose positive has the higher score.

    Ties count a half. ``score`` [N] real, ``positive`` [N] boolean; errors as in `auprc`.
    """
    found, seen = _passed(score, positive)
    false, zero = seen - found, found.new_zeros(1)
    return float(torch.trapezoid(torch.cat([zero, found / found[-1]]), torch.cat([zero, false / false[-1]])))


def auroc_interval(score: Tensor, positive: Tensor) -> tuple[float, float]:
    """The 95 % interval of `auroc` (DeLong, DeLong, Clarke-Pearson, Biometrics 1988). Errors as in `auprc`."""
    _check(positive)
    score = score.double()
    wins, losses = _below(score[positive], score[~positive]), _below(score[~positive], score[positive])
    spread = 1.96 * float(sum(v.var() / len(v) for v in (wins, losses) if len(v) > 1)) ** 0.5
    area = auroc(score, positive)
    return max(area - spread, 0.0), min(area + spread, 1.0)


def _below(scores: Tensor, others: Tensor) -> Tensor:
    """For each of ``scores`` [N] the share of ``others`` [M] below it; ties count a half."""
    ordered = others.sort().values
    below = torch.searchsorted(ordered, scores) + torch.searchsorted(ordered, scores, right=True)
    return below.double() / (2 * len(others))


def _check(positive: Tensor) -> None:
    if not positive.any() or positive.all():
        share = "all" if len(positive) and positive.all() else "none"
        raise UserError(
            f"{share} of the {len(positive)} examples are positive (anomalies); a curve needs examples of both kinds"
        )


def _passed(score: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
    """How many positives, and how many rows, have at least the score of each threshold, from the highest on."""
    _check(positive)
    score, order = score.double().sort(descending=True)
    last = torch.cat([score[1:] != score[:-1], torch.ones(1, dtype=torch.bool)])
    found = positive[order].double().cumsum(0)[last]
    return found, torch.arange(1, len(score) + 1, dtype=torch.float64)[last]
