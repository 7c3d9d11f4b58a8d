"""Chains with different conditions have different targets: they are compared within their condition."""

from __future__ import annotations

import torch

from ebmsuite.diagnosis.diagnose import _traces
from ebmsuite.diagnosis.long_run import LongRun
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling.diagnostics import rhat

N = 16


def runs(shift: float, conditions: tuple[torch.Tensor, torch.Tensor]) -> tuple[LongRun, ...]:
    """Independent draws around 10 times the condition; the second run is shifted."""
    noise = torch.randn(2, 400, N, 1, generator=rng())
    return tuple(
        LongRun(start, (), noise[i] + 10 * c[:, None] + i * shift, None, {"c": c})
        for i, (start, c) in enumerate(zip(("learning", "data"), conditions, strict=True))
    )


def test_chains_that_agree_within_their_conditions_agree() -> None:
    c = torch.arange(float(N))
    agree = runs(0.0, (c, c))
    assert float(rhat(torch.cat([run.trace for run in agree], 1))) > 2, "without conditions they would not"
    assert float(rhat(_traces(agree))) < 1.01
    assert _traces(agree).shape == (200, 2 * N, 1)
    assert float(rhat(_traces(runs(3.0, (c, c))))) > 1.5, "chains that depend on their start are found"


def test_other_conditions_per_run_leave_the_quantities_as_they_are() -> None:
    c = torch.arange(float(N))
    some = runs(0.0, (c, c.flip(0)))
    torch.testing.assert_close(_traces(some), torch.cat([run.trace[200:] for run in some], 1))
    (one, two) = (LongRun(run.start, (), run.trace, None) for run in some)
    torch.testing.assert_close(_traces((one, two)), _traces(some))
