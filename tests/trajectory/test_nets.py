"""The networks of LB-EBM."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from ebmsuite.errors import RecipeError
from ebmsuite.plugins.testing import rng
from ebmsuite.space import Space
from ebmsuite_trajectory.baselines import constant_velocity
from ebmsuite_trajectory.nets import goals_of, plan_encoder, plan_generator

EVENT, LATENT, CONDITION = Space((12, 2)), Space((16,)), {"past": Space((8, 2))}


def test_the_generator_is_a_normal_likelihood_of_plan_future_and_agreement() -> None:
    net = plan_generator(EVENT, LATENT, CONDITION, width=16)
    past, z, x = {"past": torch.randn(5, 8, 2)}, torch.randn(5, 16), torch.randn(5, 12, 2)
    plan, future = net(z, past)
    parts = (
        torch.distributions.Normal(plan, 0.14).log_prob(x[:, [2, 5, 8, 11]]),
        torch.distributions.Normal(future, 0.34).log_prob(x),
        torch.distributions.Normal(plan, 0.2).log_prob(future[:, [2, 5, 8, 11]]),
    )
    torch.testing.assert_close(net.log_prob(x, z, past), sum(part.sum((1, 2)) for part in parts))
    assert torch.equal(net.decode(z, rng(), past), future)


def test_published_sizes() -> None:
    def numbers(net: torch.nn.Module) -> int:
        return sum(p.numel() for p in net.parameters())

    def layers(*sizes: int) -> int:
        return sum(a * b + b for a, b in pairwise(sizes))

    past, plan = layers(16, 512, 256, 16), layers(8, 256, 128, 16)
    generator = past + plan + layers(32, 1024, 512, 1024, 8) + layers(32, 1024, 512, 256, 24)
    assert numbers(plan_generator(EVENT, LATENT, CONDITION)) == generator
    assert numbers(plan_encoder(EVENT, LATENT, CONDITION)) == past + plan + layers(32, 256, 512, 32)


def test_the_encoder_sees_the_plan_only() -> None:
    net = plan_encoder(EVENT, LATENT, CONDITION, width=16)
    seen = {"past": torch.randn(4, 8, 2), "future": torch.randn(4, 12, 2)}
    moved = {**seen, "future": seen["future"].clone()}
    moved["future"][:, [0, 1, 3]] += 1
    torch.testing.assert_close(net.moments(seen), net.moments(moved))
    moved["future"][:, 11] += 1
    assert not torch.allclose(net.moments(seen)[0], net.moments(moved)[0])


def test_goals() -> None:
    assert goals_of(12) == [2, 5, 8, 11]
    assert goals_of(4) == [0, 1, 2, 3]
    with pytest.raises(RecipeError, match="at least 4 predicted steps"):
        goals_of(3)
    with pytest.raises(RecipeError, match="need the past as their condition"):
        plan_generator(EVENT, LATENT, None)  # type: ignore[arg-type]


def test_residual_nets_count_from_constant_velocity() -> None:
    past = {"past": torch.randn(5, 8, 2)}
    straight = constant_velocity(past["past"], 12)
    torch.manual_seed(0)
    plain = plan_generator(EVENT, LATENT, CONDITION, width=16)
    torch.manual_seed(0)
    residual = plan_generator(EVENT, LATENT, CONDITION, width=16, residual=True)
    z = torch.randn(5, 16)
    (plan, future), (moved_plan, moved) = plain(z, past), residual(z, past)
    torch.testing.assert_close(moved, future + straight)
    torch.testing.assert_close(moved_plan, plan + straight[:, [2, 5, 8, 11]])
    plain_encoder = plan_encoder(EVENT, LATENT, CONDITION, width=16)
    residual_encoder = plan_encoder(EVENT, LATENT, CONDITION, width=16, residual=True)
    residual_encoder.load_state_dict(plain_encoder.state_dict())
    away = torch.randn(5, 12, 2)
    torch.testing.assert_close(
        residual_encoder.moments({**past, "future": straight + away}), plain_encoder.moments({**past, "future": away})
    )
