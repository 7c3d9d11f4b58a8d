"""Decision functions in a model whose posterior is known."""

from __future__ import annotations

import pytest
import torch

from ebmsuite.density import Gaussian
from ebmsuite.errors import UserError
from ebmsuite.nets.mlp import mlp_levels
from ebmsuite.space import Space
from ebmsuite.tasks.anomaly_scores import decide, usual


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_posterior_score_is_the_negative_log_posterior(linear, batch) -> None:
    got = decide(linear, batch, generator(1), "posterior")
    z = linear.trainer.infer(batch, generator(1))
    residual = (z @ linear.w.T + linear.b[:, 0]).view_as(batch.x) - batch.x
    squares = residual.square().flatten(1).sum(1)
    torch.testing.assert_close(got["reconstruction"], squares)
    torch.testing.assert_close(got["energy"], z.square().sum(1) / 2)
    exact = linear.phases["posterior"].energy(z, (batch.x, None))
    torch.testing.assert_close(got["score"] - got["score"][0], (exact - exact[0]).detach())
    weighed = decide(linear, batch, generator(1), "posterior", weight=1.0)
    torch.testing.assert_close(weighed["score"], squares + z.square().sum(1) / 2)
    assert list(got) == ["score", "reconstruction", "energy"]
    assert usual(linear) == "posterior"


def test_the_domain_says_how_residuals_are_smoothed(linear, batch) -> None:
    got = decide(linear, batch, generator(1), "smoothed", smooth=lambda residual: residual / 2)
    assert list(got) == ["score", "reconstruction", "smoothed", "energy"]
    torch.testing.assert_close(got["score"], got["reconstruction"] / 4)
    with pytest.raises(UserError, match='"smoothed" is for domains that define how a residual is smoothed'):
        decide(linear, batch, generator(1), "smoothed")


def test_a_model_of_events_has_its_energy_as_a_score(linear, batch) -> None:
    energy = Gaussian(linear.event)
    linear.players = {"energy": energy}
    got = decide(linear, batch, generator(), "energy")
    assert torch.equal(got["score"], energy(batch.x))
    assert usual(linear) == "energy"
    with pytest.raises(UserError, match=r'"posterior" needs a generator; this model has an energy of events'):
        decide(linear, batch, generator(), "posterior")
    for settings in ({"descent": 2}, {"noise": False}):
        with pytest.raises(UserError, match="how a latent vector is inferred; this model has none"):
            decide(linear, batch, generator(), "energy", **settings)
    with pytest.raises(UserError, match=r'weight is that of the squared error .* the score is "energy"'):
        decide(linear, batch, generator(), "energy", weight=1.0)


def test_the_ratio_is_of_two_noise_levels(linear, batch) -> None:
    energy = mlp_levels(linear.event, 0.2, 1.5, width=8).double()
    linear.players = {"energy": energy}
    both = [energy(batch.x, batch.x.new_full((4,), sigma)).detach() for sigma in (0.2, 1.5)]
    torch.testing.assert_close(decide(linear, batch, generator(), "ratio")["score"], both[0] - both[1])
    assert usual(linear) == "ratio"
    with pytest.raises(UserError, match=r"from 0\.2 to 1\.5; got 1 and 0\.5"):
        decide(linear, batch, generator(), "ratio", levels=(1.0, 0.5))


def test_a_score_that_would_depend_on_labels_is_refused(linear, batch) -> None:
    linear.condition = Space((), kind="label", classes=3)
    linear.players["energy"] = Gaussian(Space((2,)))
    with pytest.raises(UserError, match="given labels, which an anomaly score must not depend on"):
        decide(linear, batch, generator(), "posterior")
