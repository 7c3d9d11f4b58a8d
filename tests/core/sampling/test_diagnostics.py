"""R-hat, effective sample sizes and Monte Carlo errors against ArviZ and against what they should say."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from torch import Tensor

from ebmsuite.sampling.diagnostics import ess_bulk, ess_mean, ess_tail, mcse_mean, rhat

ALL = (rhat, ess_bulk, ess_tail, ess_mean, mcse_mean)


def arviz(x: Tensor) -> list[np.ndarray]:
    """The same five from the oracle, whose draws are last."""
    a = x.double().movedim(1, -1).movedim(0, -1).numpy()
    with np.errstate(all="ignore"):
        return [
            array_stats.rhat(a),
            array_stats.ess(a, method="bulk"),
            array_stats.ess(a, method="tail", prob=(0.05, 0.95)),
            array_stats.ess(a, method="mean"),
            array_stats.mcse(a, method="mean"),
        ]


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def ar1(n: int, phi: float, *shape: int) -> Tensor:
    """Stationary chains x_t = phi x_t-1 + sqrt(1 - phi^2) e_t."""
    x = normal(n, *shape)
    for t in range(1, n):
        x[t] = phi * x[t - 1] + math.sqrt(1 - phi * phi) * x[t]
    return x


@pytest.mark.parametrize("n", [4, 5, 6, 7, 10, 13, 100, 181, 1001])
@pytest.mark.parametrize("chains", [2, 5])
def test_the_numbers_are_those_of_arviz(n: int, chains: int) -> None:
    one_still = normal(n, chains, 3)
    one_still[:, 0] = 1.5
    kinds = {
        "independent": normal(n, chains, 3, 2),
        "slow": ar1(n, 0.9, chains, 3),
        "antithetic": ar1(n, -0.9, chains, 3),
        "different means": normal(n, chains, 3) + torch.arange(chains)[:, None],
        "different spreads": normal(n, chains, 3) * torch.arange(1, chains + 1)[:, None],
        "ties": normal(n, chains, 3).round(decimals=1),
        "heavy tails": normal(n, chains, 3) / normal(n, chains, 3),
        "one chain stands still": one_still,
        "float32": normal(n, chains, 3).float(),
    }
    if n > 50:  # few draws of few values have autocorrelations of 0, whose sign is rounding
        kinds["few values"] = torch.randint(0, 4, (n, chains, 3)).double()
    for kind, x in kinds.items():
        for function, wanted in zip(ALL, arviz(x), strict=True):
            got = function(x).numpy()
            assert got.shape == x.shape[2:]
            np.testing.assert_allclose(got, wanted, rtol=1e-9, err_msg=f"{function.__name__}, {kind}")


def test_draws_without_trailing_dimensions_give_one_number_and_one_chain_is_enough() -> None:
    x = normal(200, 4)
    for function, wanted in zip(ALL, arviz(x), strict=True):
        assert function(x).shape == ()
        assert function(x).item() == pytest.approx(float(wanted), rel=1e-9)
    one = normal(400, 1)
    assert rhat(one).item() == pytest.approx(rhat(torch.cat([one[:200], one[200:]], 1)).item(), abs=0.02)
    assert all(torch.isfinite(function(one)) for function in ALL)


def test_what_the_numbers_say() -> None:
    n, phi = 4000, 0.8
    slow = ar1(n, phi, 4, 20)
    # the mean of an AR(1) chain is worth (1 - phi) / (1 + phi) of its draws
    assert ess_mean(slow).mean().item() == pytest.approx(4 * n * (1 - phi) / (1 + phi), rel=0.1)
    assert (rhat(slow) < 1.01).all()
    assert slow.mean((0, 1)).std().item() == pytest.approx(mcse_mean(slow).mean().item(), rel=0.5)
    apart = normal(500, 4, 3) + torch.arange(4.0)[:, None]
    assert (rhat(apart) > 1.3).all()
    assert (ess_bulk(apart) < 20).all()
    wider = normal(500, 4, 3) * torch.tensor([1.0, 1.0, 1.0, 3.0])[:, None]  # seen only when folded
    assert (rhat(wider) > 1.05).all()


def test_draws_that_say_nothing_are_not_numbers() -> None:
    x = normal(100, 4, 3)
    x[:, :, 0] = 0.3
    x[5, 2, 1] = math.inf
    for function in ALL:
        assert function(x).isnan().tolist() == [True, True, False]
    x[5, 2, 1] = math.nan
    assert all(function(x).isnan().tolist() == [True, True, False] for function in ALL)


def test_too_few_draws_is_one_clear_error() -> None:
    for function in ALL:
        for shape in ((3, 4), (3, 4, 2), (10,)):
            with pytest.raises(ValueError, match="at least 4 draws"):
                function(torch.randn(shape))
