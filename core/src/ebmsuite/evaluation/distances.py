"""Distances between two sets of feature vectors. Pure functions that compute in float64 on the features' device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ebmsuite.errors import UserError

__all__ = [
    "frechet",
    "inception_score",
    "kernel_distance",
    "mmd",
    "nearest",
    "precision_recall",
    "sliced_wasserstein",
]

_CELLS = 4_000_000
"""The number of distances that are held in memory at once: 32 MB in float64."""


def frechet(a: Tensor, b: Tensor) -> float:
    """Squared Frechet distance between Gaussians fitted to ``a`` [N, D] and ``b`` [M, D].

    ``|mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2))`` with unbiased covariances A and B (Heusel et al. 2017,
    eq. 6). The trace of the root equals that of the symmetric ``(A^(1/2) B A^(1/2))^(1/2)``, so two symmetric
    eigendecompositions suffice and all values are real. The estimate is biased upwards by O(1/N), and is far too large
    if N or M <= D, because a covariance is then singular. Compare only values with equal N and M.

    Errors: `UserError` if either set has fewer than two rows.
    """
    a, b = _pair(a, b, least=2)
    cov_a, cov_b = _covariance(a), _covariance(b)
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    product = root @ cov_b @ root
    spectrum = torch.linalg.eigvalsh((product + product.T) / 2)
    trace = cov_a.trace() + cov_b.trace() - 2 * spectrum.clamp(min=0).sqrt().sum()
    # for equal sets, rounding can give about -1e-10
    return max(0.0, float((a.mean(0) - b.mean(0)).square().sum() + trace))


def kernel_distance(a: Tensor, b: Tensor, subsets: int, size: int, rng: torch.Generator) -> tuple[float, float]:
    """Kernel distance (KID) between ``a`` [N, D] and ``b`` [M, D]: mean and sd over random subsets.

    The unbiased estimate of MMD^2 with the kernel ``(x.y / D + 1)^3`` (Binkowski et al., ICLR 2018, sec. 4)
    on ``subsets`` pairs of subsets of ``size`` rows, which ``rng`` draws without replacement. The estimate may be
    negative. The sd is that of the subset values (divisor ``subsets``), as published, not the standard error of the
    mean.

    Errors: `UserError` unless 2 <= size <= N, M and subsets >= 1.
    """
    a, b = _pair(a, b, least=2)
    if subsets < 1 or not 2 <= size <= min(len(a), len(b)):
        raise UserError(f"kernel distance: {subsets} subsets of {size} rows cannot be drawn from {len(a)} and {len(b)}")
    values = torch.stack([_mmd(_draw(a, size, rng), _draw(b, size, rng)) for _ in range(subsets)])
    return float(values.mean()), float(values.std(correction=0))


def sliced_wasserstein(a: Tensor, b: Tensor, directions: int, rng: torch.Generator) -> float:
    """Sliced Wasserstein-2 distance between ``a`` [N, D] and ``b`` [N, D], in the unit of the rows.

    The root of the mean of the squared W2 of the projections on random ``directions``; sorting gives each W2 exactly
    (Bonneel et al., JMIV 2015, eq. 7). The estimate is biased upwards: it is not 0 for two sets of one distribution.

    Errors: `UserError` unless both sets have the same number of rows.
    """
    a, b = _pair(a, b, least=1)
    if len(a) != len(b):
        raise UserError(f"sliced Wasserstein distance: {len(a)} and {len(b)} rows; equal numbers are needed")
    to = torch.randn((a.shape[1], directions), generator=rng, device=rng.device, dtype=torch.float64).to(a.device)
    to = to / to.norm(dim=0)
    return float(((a @ to).sort(0).values - (b @ to).sort(0).values).square().mean().sqrt())


def mmd(a: Tensor, b: Tensor) -> float:
    """Unbiased MMD^2 of ``a`` [N, D] and ``b`` [M, D] with Gaussian kernels, in [-1, 2]; about 0 if the sets are alike.

    The mean over kernels exp(-d^2 / 2 s^2) with s of 1/4, 1/2, 1, 2 and 4 times the median distance within ``b``, the
    reference (Gretton et al., JMLR 2012, eq. 3). If that median is 0, because more than about 70 % of the rows of
    ``b`` are equal, the median of all positive distances within and between the sets replaces it. If all rows of both
    sets are equal, the result is 0.
    """
    a, b = _pair(a, b, least=2)
    aa, bb, ab = (_squared(x, y) for x, y in ((a, a), (b, b), (a, b)))
    off = ~torch.eye(len(b), dtype=torch.bool, device=b.device)
    unit = bb[off].median()
    if unit == 0:
        apart = torch.cat([d[d > 0] for d in (aa, bb, ab)])
        if len(apart) == 0:
            return 0.0
        unit = apart.median()

    def mean(d: Tensor, within: bool) -> Tensor:
        k = torch.stack([torch.exp(-d / (2 * s * s * unit)) for s in (0.25, 0.5, 1.0, 2.0, 4.0)]).mean(0)
        return (k.sum() - k.trace()) / (len(d) * (len(d) - 1)) if within else k.mean()

    return float(mean(aa, True) + mean(bb, True) - 2 * mean(ab, False))


def inception_score(logits: Tensor, splits: int = 10) -> tuple[float, float]:
    """Inception score: mean and sd over ``splits`` of ``exp(E KL(p(y|x) || p(y)))`` (Salimans et al. 2016, sec. 4).

    ``logits`` [N, C] are split in their order into parts of N / splits rows, as in the published code. The
    score is between 1 and C.

    Errors: `UserError` if there are fewer rows than parts.
    """
    if splits < 1 or len(logits) < splits:
        raise UserError(f"inception score: {len(logits)} pictures cannot be split into {splits} parts")
    log_p = logits.double().log_softmax(1)
    scores = []
    for part in log_p.tensor_split(splits):
        marginal = torch.logsumexp(part, 0) - math.log(len(part))
        # a probability of 0 contributes 0, although its logarithm is -inf
        divergence = torch.where(part.isneginf(), 0.0, part.exp() * (part - marginal)).sum(1)
        scores.append(divergence.mean().exp())
    stacked = torch.stack(scores)
    return float(stacked.mean()), float(stacked.std(correction=0))


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al., NeurIPS 2019, eqs. 1 and 2).

    The manifold of a set is the union of balls around its rows; the radius of a ball is the distance to the ``k``-th
    nearest other row. Precision is the share of ``fake`` [M, D] in the manifold of ``real`` [N, D]; recall is the
    reverse.

    Errors: `UserError` if a set has ``k`` rows or fewer.
    """
    real, fake = _pair(real, fake, least=2)
    if k < 1 or min(len(real), len(fake)) <= k:
        raise UserError(
            f"precision and recall: {len(real)} and {len(fake)} rows are too few for {k} neighbours per row"
        )
    return _covered(fake, real, k), _covered(real, fake, k)


def nearest(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """For each row of ``a`` [N, D]: the index [N] of the nearest row of ``b`` [M, D], and the distance [N]."""
    a, b = _pair(a, b, least=1)
    index = torch.cat([torch.cdist(part, b).argmin(1) for part in torch.split(a, _chunk(b))])
    # cdist uses products, which give 1e-7 instead of 0 for equal rows
    return index, (a - b[index]).norm(dim=1)


def _pair(a: Tensor, b: Tensor, least: int) -> tuple[Tensor, Tensor]:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ValueError(f"features must be [N, D] and [M, D], got {list(a.shape)} and {list(b.shape)}")
    if min(len(a), len(b)) < least:
        raise UserError(f"at least {least} pictures per set are needed, got {len(a)} and {len(b)}")
    a, b = a.double(), b.double()
    if not (a.isfinite().all() and b.isfinite().all()):
        raise ValueError("features are not finite")
    return a, b


def _squared(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances [N, M]. They are exactly 0 for equal rows, where products of rows would give about 1e-14."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()


def _covariance(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _draw(x: Tensor, size: int, rng: torch.Generator) -> Tensor:
    return x[torch.randperm(len(x), generator=rng, device=rng.device)[:size].to(x.device)]


def _mmd(a: Tensor, b: Tensor) -> Tensor:
    m, d = a.shape
    aa, bb, ab = ((x @ y.T / d + 1) ** 3 for x, y in ((a, a), (b, b), (a, b)))
    within = aa.sum() - aa.trace() + bb.sum() - bb.trace()
    return within / (m * (m - 1)) - 2 * ab.mean()


def _covered(points: Tensor, manifold: Tensor, k: int) -> float:
    """The share of ``points`` that lie in a ball of ``manifold``, computed in blocks."""
    centre = manifold.mean(0)  # a common offset would reduce the precision of distances from products
    points, manifold = points - centre, manifold - centre
    radii = []
    for start in range(0, len(manifold), _chunk(manifold)):
        block = torch.cdist(manifold[start : start + _chunk(manifold)], manifold)
        row = torch.arange(len(block), device=block.device)
        block[row, row + start] = math.inf  # a row is not its own neighbour
        radii.append(block.kthvalue(k, dim=1).values)
    # copies of a centre must be in its ball, but distances from products are not exactly 0; hence the tolerance
    radius = torch.cat(radii) + 1e-7 * manifold.norm(dim=1).max()
    inside = [(torch.cdist(part, manifold) <= radius).any(1) for part in torch.split(points, _chunk(manifold))]
    return float(torch.cat(inside).double().mean())


def _chunk(b: Tensor) -> int:
    return max(1, _CELLS // len(b))
