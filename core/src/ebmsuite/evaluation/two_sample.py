"""Comparisons of samples with reference examples by nothing but their distances.

A metric computes distance matrices with any distance (`pairwise`), and this module turns them into scores. S are the N
samples, R the M reference examples; ``ss`` [N, N], ``sr`` [N, M] and ``rr`` [M, M] are the distances within and
between them.

=====================================  ==============================================================================
`nearest_neighbour_accuracy` (1-NNA)   can a nearest-neighbour classifier tell samples from references? ideal: 0.5
`minimum_matching_distance`            how near is the nearest sample to a reference? lower is better
`coverage` (COV)                       which share of the references is nearest to some sample? higher is better
`nearest_distance`                     how near is the nearest reference to a sample? 0 for copies
=====================================  ==============================================================================

The minimum matching distance is called MMD in the literature of point clouds. It is not the maximum mean discrepancy,
which is `ebmsuite.evaluation.distances.mmd`. All intervals are 95 %; ``interval`` in the protocol says how they were
computed and over how many values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ebmsuite.errors import UserError
from ebmsuite.progress import progress
from ebmsuite.scores import Score

__all__ = [
    "closest",
    "coverage",
    "minimum_matching_distance",
    "nearest_distance",
    "nearest_neighbour_accuracy",
    "pairwise",
    "two_sample",
]

Z = 1.96
"""The normal quantile of a 95 % interval."""


def pairwise(distance: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor, size: int = 256) -> Tensor:
    """The distances [N, M], float64 on the CPU, between all of ``a`` [N, ...] and all of ``b`` [M, ...].

    ``distance`` maps [n, ...] and [m, ...] to [n, m]. It is called with at most ``size`` rows of each, which bounds
    the memory. Errors: `UserError` for an empty set and for distances that are negative or not finite.
    """
    if min(len(a), len(b)) < 1:
        raise UserError(f"distances need at least one event per set, got {len(a)} and {len(b)}")
    found = torch.empty(len(a), len(b), dtype=torch.float64)
    with torch.no_grad(), progress("distances", len(a) * len(b)) as advance:
        for i in range(0, len(a), size):
            for j in range(0, len(b), size):
                part = distance(a[i : i + size], b[j : j + size])
                found[i : i + size, j : j + size] = part
                advance(part.numel())
    if not (torch.isfinite(found).all() and (found >= 0).all()):
        raise UserError("a distance is negative or not finite; are the events finite?")
    return found


def closest(d: Tensor) -> tuple[Tensor, Tensor]:
    """For each row of distances ``d`` [N, M]: the column [N] of the smallest one (the first of equals), and its value.

    With ``d = sr`` these are the nearest reference of each sample and its distance.
    """
    value, index = d.min(1)
    return index, value


def two_sample(ss: Tensor, sr: Tensor, rr: Tensor) -> dict[str, Score]:
    """All scores of this module by name; every protocol states N, M and the exact copies.

    Errors: those of `nearest_neighbour_accuracy`.
    """
    return {
        "1-nna": nearest_neighbour_accuracy(ss, sr, rr),
        "minimum-matching-distance": minimum_matching_distance(sr),
        "coverage": coverage(sr),
        "nearest-distance": nearest_distance(sr),
    }


def nearest_neighbour_accuracy(ss: Tensor, sr: Tensor, rr: Tensor) -> Score:
    """Leave-one-out accuracy of the 1-nearest-neighbour classifier of samples against references (1-NNA), in [0, 1].

    (Lopez-Paz, Oquab, ICLR 2017; for point clouds Yang et al., ICCV 2019.) About 0.5, exactly (N - 1) / (2 N - 1), if
    both sets follow one distribution, and 1 if they are separated. **Values below 0.5 are bad as well**: examples of
    one set are copies of, or unusually near to, those of the other set. Exact copies of the references score 0.

    If several neighbours are equally near, the vote is the share of them that belong to the own set. A fixed order
    would favour one set. A reference that is copied twice therefore counts a half for each copy, so that a set of
    many copies can be near 0.5: the protocol states ``copies``, the samples at distance 0 from a reference.

    The interval is that of Wilson for N + M votes, of which each pair of mutual nearest neighbours counts as one: these
    two votes are equal (Schilling, JASA 1986).

    Errors: `UserError` unless N = M >= 2: for other numbers the ideal value is not 0.5.
    """
    _check(sr, ss, rr)
    n = len(ss)
    if n != len(rr) or n < 2:
        raise UserError(f"1-NNA needs two or more samples and equally many references, got {n} and {len(rr)}")
    d = torch.cat([torch.cat([ss, sr], 1), torch.cat([sr.T, rr], 1)]).clone()
    d.fill_diagonal_(math.inf)  # a row is not its own neighbour
    own = torch.arange(2 * n) < n
    least, index = d.min(1)
    tied = d == least[:, None]
    votes = (tied & (own[:, None] == own)).sum(1) / tied.sum(1).double()
    mutual = float((index[index] == torch.arange(2 * n)).double().mean())
    low, high = _wilson(float(votes.mean()), 2 * n / (1 + mutual))
    facts = {"interval": "95 %, Wilson, mutual neighbours counted once", "ideal": 0.5}
    return Score(float(votes.mean()), low, high, _facts(sr) | facts)


def minimum_matching_distance(sr: Tensor) -> Score:
    """The mean over references of the distance to their nearest sample (Achlioptas et al., ICML 2018).

    It ignores samples that are near no reference, and it falls with N: compare values with equal N and M only. Exact
    copies of all references score 0.
    """
    _check(sr)
    return _mean(sr.min(0).values, "references", sr)


def coverage(sr: Tensor) -> Score:
    """The share of references that are the nearest reference of at least one sample (Achlioptas et al., ICML 2018).

    ``nearest_references`` in the protocol is their number. Samples that are near nothing count too, so that this alone
    says nothing about quality. At most N / M; of references that are equally near the first counts, so that references
    which occur twice cannot all be covered. Samples of the right distribution cover only about half of the references
    (0.59 in 2 dimensions, 0.46 in 50): state the value of held-out examples beside it.
    """
    _check(sr)
    index, _ = closest(sr)
    covered = len(set(index.tolist()))
    low, high = _wilson(covered / sr.shape[1], sr.shape[1])
    facts = {"nearest_references": covered, "interval": "95 %, Wilson, over references"}
    return Score(covered / sr.shape[1], low, high, _facts(sr) | facts)


def nearest_distance(sr: Tensor) -> Score:
    """The mean over samples of the distance to their nearest reference; 0 if all samples are copies.

    With training examples as references this measures memorisation: compare it with the same value of held-out
    examples in place of the samples. The protocol states ``copies`` and the smallest and the median distance.
    """
    _check(sr)
    _, value = closest(sr)
    facts = {"smallest": float(value.min()), "median": float(value.median())}
    score = _mean(value, "samples", sr)
    return Score(score.value, score.low, score.high, {**score.protocol, **facts})


def _check(sr: Tensor, ss: Tensor | None = None, rr: Tensor | None = None) -> None:
    n, m = sr.shape
    for name, d, size in (("ss", ss, n), ("rr", rr, m)):
        if d is not None and d.shape != (size, size):
            raise ValueError(f"{name} must be [{size}, {size}] for sr [{n}, {m}], got {list(d.shape)}")
    if min(n, m) < 1:
        raise UserError(f"samples and references are needed, got {n} and {m}")


def _facts(sr: Tensor) -> dict[str, Any]:
    copies = int((sr.min(1).values == 0).sum())
    return {"n_samples": sr.shape[0], "n_reference": sr.shape[1], "copies": copies}


def _mean(values: Tensor, over: str, sr: Tensor) -> Score:
    mean = float(values.mean())
    if len(values) < 2:
        return Score(mean, protocol=_facts(sr))
    error = Z * float(values.std()) / math.sqrt(len(values))
    return Score(mean, mean - error, mean + error, _facts(sr) | {"interval": f"95 %, normal, over {over}"})


def _wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of ``n`` independent votes (Wilson, JASA 1927)."""
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    spread = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, centre - spread), min(1.0, centre + spread)
