"""Convergence of chains: R-hat, effective sample sizes and the Monte Carlo error of a mean.

After Vehtari, Gelman, Simpson, Carpenter and Buerkner, Rank-normalization, folding, and localization: an improved
R-hat, Bayesian Analysis 16 (2021). All functions take draws [draws, chains, ...] with at least 4 draws and give one
float64 number per trailing index: a 0-d tensor for draws [draws, chains]. Chains are split in halves (the middle draw
of an odd number is left out), so one chain is enough. The result is NaN if all draws are equal, since they do not
show convergence, and if any draw is not finite.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["ess_bulk", "ess_mean", "ess_tail", "mcse_mean", "rhat"]


def rhat(draws: Tensor) -> Tensor:
    """R-hat: the larger of the R-hats of the normal scores and of the folded normal scores (sec. 4).

    It is 1 when chains agree; above 1.01 they have not converged. It is unbounded for chains that each stay at a
    different point.
    """
    x = _checked(draws)
    halves = _split(x)
    ranks, folded = _rhat(_normal_scores(halves)), _rhat(_normal_scores((halves - _median(halves)).abs()))
    # draws with two values, equally far from the median, fold to one value, whose R-hat is NaN: fmax ignores it
    return _known(torch.fmax(ranks, folded), x)


def ess_bulk(draws: Tensor) -> Tensor:
    """Effective sample size for the centre of the distribution: that of the mean of the normal scores."""
    x = _checked(draws)
    return _known(_ess(_normal_scores(_split(x))), x)


def ess_tail(draws: Tensor) -> Tensor:
    """Effective sample size for the tails: the smaller of those of 1[x <= q], q the 5 % and 95 % quantiles.

    If ties make an indicator constant, its effective sample size is the number of draws.
    """
    x = _checked(draws)
    ordered = _pooled(x).sort(-1).values
    last = ordered.shape[-1] - 1
    # x <= q for the interpolated quantile q is x <= the order statistic below q
    low, high = (_ess(_split((x <= ordered[..., i]).double())) for i in (last // 20, last * 19 // 20))
    return _known(torch.minimum(low, high), x)


def ess_mean(draws: Tensor) -> Tensor:
    """Effective sample size for the mean of x."""
    x = _checked(draws)
    return _known(_ess(_split(x)), x)


def mcse_mean(draws: Tensor) -> Tensor:
    """Standard error of the mean over all draws, in the units of x: sd / sqrt(ess_mean)."""
    return _pooled(_checked(draws)).std(-1) / ess_mean(draws).sqrt()


def _checked(draws: Tensor) -> Tensor:
    if draws.dim() < 2 or draws.shape[0] < 4 or draws.shape[1] < 1:
        raise ValueError(f"diagnostics need draws [draws, chains, ...] with at least 4 draws, got {list(draws.shape)}")
    return draws.detach().double()


def _split(x: Tensor) -> Tensor:
    """[N, M, ...] -> [N // 2, 2 M, ...]."""
    half = x.shape[0] // 2
    return torch.cat([x[:half], x[-half:]], 1)


def _pooled(x: Tensor) -> Tensor:
    """[N, M, ...] -> [..., N M]."""
    return x.flatten(0, 1).movedim(0, -1).contiguous()


def _known(value: Tensor, x: Tensor) -> Tensor:
    """Replace the value by NaN where all draws are equal or one is not finite."""
    informative = (x != x[:1, :1]).any(0).any(0) & x.isfinite().all(0).all(0)
    return torch.where(informative, value, math.nan)


def _median(x: Tensor) -> Tensor:
    ordered = _pooled(x).sort(-1).values
    n = ordered.shape[-1]
    return (ordered[..., (n - 1) // 2] + ordered[..., n // 2]) / 2


def _normal_scores(x: Tensor) -> Tensor:
    """z = Phi^-1((r - 3/8) / (S + 1/4)), r the rank among all S draws, or the mean rank of a tie (sec. 4)."""
    pooled = _pooled(x)
    ordered = pooled.sort(-1).values
    r = (torch.searchsorted(ordered, pooled) + torch.searchsorted(ordered, pooled, right=True) + 1) / 2
    z: Tensor = torch.special.ndtri((r.double() - 3 / 8) / (pooled.shape[-1] + 1 / 4))
    return z.movedim(-1, 0).reshape(x.shape)


def _rhat(x: Tensor) -> Tensor:
    """sqrt(((N - 1) / N W + B / N) / W), with the variances B between and W within chains [N, M, ...] (sec. 3.1)."""
    n = x.shape[0]
    within, between = x.var(0).mean(0), x.mean(0).var(0)
    return ((n - 1) / n + between / within).sqrt()


def _ess(x: Tensor) -> Tensor:
    """S / tau for split chains [N, M, ...], S = N M (sec. 3.2).

    tau = -1 + 2 sum_k P_k over the pairs P_k = rho_2k + rho_2k+1 of autocorrelations before the first pair that is not
    positive, with each P_k reduced to at most the one before (Geyer's initial monotone sequence). A positive rho_2k of
    that first pair is added once, which improves the estimate for antithetic chains, and tau is at least 1 / log10 S
    (Stan does both). The result is S if x is constant.
    """
    n, total = x.shape[0], x.shape[0] * x.shape[1]
    covariance = _autocovariance(x).mean(1)
    within = covariance[0] * n / (n - 1)
    plus = covariance[0] + x.mean(0).var(0)
    rho = 1 - (within - covariance) / plus
    rho[0] = 1
    pairs = max((n - 3) // 2, 0) + 1
    even = rho[: 2 * pairs : 2]
    p = even + rho[1 : 2 * pairs : 2]
    counted = (p > 0).cumprod(0).bool()
    counted[-1] = False
    last = counted.sum(0, keepdim=True)
    # the pair at which the sum stops: its sum is not positive, or it is the last pair (its sum may be positive)
    tail, whole = even.gather(0, last)[0], p.gather(0, last)[0]
    tail = torch.where(whole >= 0, tail, tail.clamp(min=0))
    tau = -1 + 2 * (p.cummin(0).values * counted).sum(0) + tail
    ess = total / tau.clamp(min=1 / math.log10(total))
    return torch.where((x == x[:1, :1]).all(0).all(0), total, ess)


def _autocovariance(x: Tensor) -> Tensor:
    """sum_n d_n d_(n + t) / N for all lags t, d the deviations from the mean of a chain; like x [N, M, ...]."""
    n = x.shape[0]
    size = 1 << (2 * n - 1).bit_length()  # pad with zeros, so that lags do not wrap around
    spectrum = torch.fft.rfft(x - x.mean(0), n=size, dim=0).abs().square()
    sums: Tensor = torch.fft.irfft(spectrum, n=size, dim=0)[:n]
    return sums / n
