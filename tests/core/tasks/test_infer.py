"""Inference and reconstruction in a model whose posterior is known."""

from __future__ import annotations

import pytest
import torch

from ebmsuite.errors import UserError
from ebmsuite.sampling import MALA
from ebmsuite.space import Batch
from ebmsuite.tasks.infer import infer, reconstruct


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_descent_takes_langevin_steps_without_noise_to_the_mode(linear, batch) -> None:
    z = infer(linear, batch, generator(1))
    assert torch.equal(z, linear.trainer.infer(batch, generator(1)))
    energy, weight = linear.phases["posterior"].energy, 0.2**2 / 2
    start = z.clone().requires_grad_()
    (slope,) = torch.autograd.grad(energy(start, (batch.x, None)).sum(), start)
    torch.testing.assert_close(infer(linear, batch, generator(1), descent=1), z - weight * slope)
    torch.testing.assert_close(infer(linear, batch, generator(1), descent=600), linear.mode(batch.x))
    made = reconstruct(linear, batch, generator(1), descent=600)
    expected = (linear.mode(batch.x) @ linear.w.T + linear.b[:, 0]).view_as(batch.x)
    torch.testing.assert_close(made, expected)


def test_descent_in_parts_is_descent(linear, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(7, *linear.event.fixed, dtype=torch.float64, generator=generator(3))
    monkeypatch.setattr(linear, "rows_at_once", lambda event: 3)
    found = infer(linear, Batch(x), generator(1), descent=600)
    torch.testing.assert_close(found, linear.mode(x))


def test_without_noise_inference_begins_at_the_mean_of_the_encoder(encoded, linear, batch) -> None:
    x = torch.randn(4, 5, dtype=torch.float64, generator=generator(3))
    mean, _ = encoded.players["encoder"].moments(x)
    torch.testing.assert_close(infer(encoded, Batch(x), generator(), noise=False), mean.detach())
    with pytest.raises(UserError, match="linear: without noise, inference begins at an encoder's mean; it has none"):
        infer(linear, batch, generator(), noise=False)


def test_noise_free_steps_are_those_of_langevin_chains(linear, batch) -> None:
    linear.phases["posterior"].sampler = MALA(step_size=0.1)
    with pytest.raises(UserError, match="descent: noise-free steps are those of Langevin chains, not of MALA"):
        infer(linear, batch, generator(), descent=1)


def test_reconstruction_needs_a_generator_with_a_mean(linear, batch) -> None:
    del linear.players["generator"]
    with pytest.raises(UserError, match=r"linear: this needs a model with a generator whose mean g\(z\) is an event"):
        reconstruct(linear, batch, generator())
