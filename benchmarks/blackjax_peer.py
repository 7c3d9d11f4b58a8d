"""blackjax on the same targets, implemented in jax: one `jax.jit` for all chains, `lax.scan` over the steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import blackjax
import jax
import jax.numpy as jnp
import numpy as np
import torch
from jax.scipy.special import logsumexp
from methods import Work
from torch import Tensor

from ebmsuite_toy.densities import Banana, Funnel, IllConditioned, Mixture

LogDensity = Callable[[jax.Array], jax.Array]
"""A function from a point [D] to a number."""


# -- targets ---------------------------------------------------------------------------------------------------------


def log_density(target: torch.nn.Module) -> LogDensity:
    """The log-density of one of the suite's toy densities, without constants."""
    if isinstance(target, Mixture):
        means, sd = jnp.asarray(target.means.float().numpy()), target.sd
        return lambda x: logsumexp(-((x - means) ** 2).sum(1) / (2 * sd**2))
    if isinstance(target, Banana):
        length, width, bend = target.length, target.width, target.bend
        return lambda x: -((x[0] / length) ** 2) / 2 - ((x[1] - bend * (x[0] ** 2 - length**2)) / width) ** 2 / 2
    if isinstance(target, Funnel):
        sd = target.sd
        return lambda x: -((x[0] / sd) ** 2) / 2 - (x[1:] ** 2).sum() * jnp.exp(-x[0]) / 2 - (len(x) - 1) * x[0] / 2
    assert isinstance(target, IllConditioned)
    return _ill_conditioned(target)


def _ill_conditioned(target: IllConditioned) -> LogDensity:
    dim = target.event.size
    sd = target.condition_number ** (-np.linspace(0, 1, dim) / 2)
    normal = -np.ones(dim) / dim**0.5
    normal[0] += 1
    normal /= np.linalg.norm(normal)
    sd, normal = jnp.asarray(sd, jnp.float32), jnp.asarray(normal, jnp.float32)
    return lambda x: -(((x - 2 * (x @ normal) * normal) / sd) ** 2).sum() / 2


# -- time per step ---------------------------------------------------------------------------------------------------


def sgld(target: torch.nn.Module, x: Tensor, steps: int, w: float) -> Work:
    """Unadjusted Langevin dynamics: `blackjax.sgld` with the full gradient and all chains as one position."""
    gradient = jax.vmap(jax.grad(log_density(target)))
    kernel = blackjax.sgld(lambda position, minibatch: gradient(position))

    @jax.jit
    def program(x: jax.Array, key: jax.Array) -> jax.Array:
        def step(x: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
            return kernel.step(key, x, None, w), None

        return jax.lax.scan(step, x, jax.random.split(key, steps))[0]

    start = jnp.asarray(x.numpy())
    return lambda: program(start, jax.random.key(0)).block_until_ready()


def mala(target: torch.nn.Module, x: Tensor, steps: int, w: float) -> Work:
    """`blackjax.mala` with a `vmap` over chains."""
    kernel = blackjax.mala(log_density(target), w)

    @jax.jit
    def program(x: jax.Array, key: jax.Array) -> jax.Array:
        def step(state: Any, key: jax.Array) -> tuple[Any, None]:
            return jax.vmap(kernel.step)(jax.random.split(key, len(x)), state)[0], None

        return jax.lax.scan(step, jax.vmap(kernel.init)(x), jax.random.split(key, steps))[0].position

    start = jnp.asarray(x.numpy())
    return lambda: program(start, jax.random.key(0)).block_until_ready()


# -- effective sample size -------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """The draws of all chains and their cost."""

    draws: jax.Array
    """[steps, chains, D]."""
    acceptance: jax.Array
    """Mean acceptance probability over chains and steps."""
    asked: jax.Array
    """Mean number of gradients per chain and step."""
    longest: jax.Array
    """The number of gradients of the chain that needed most, as a mean over steps."""


class Sampler:
    """A kernel, its adaptation and a program that draws samples. Programs are compiled at their first call."""

    def __init__(self, name: str, target: torch.nn.Module, steps: int, warm_up: int, leapfrog: int) -> None:
        self.name, self.warm_up, self.log_p = name, warm_up, log_density(target)
        self.fixed = {"num_integration_steps": leapfrog} if name == "hmc" else {}
        self.program = jax.jit(partial(self._draw, steps=steps))
        self.adaptation = jax.jit(self._adapt_mala if name == "mala" else self._adapt)

    def adapt(self, x: Tensor, seed: int) -> Any:
        """Tune the parameters of the kernel with chains from x [chains, D] (window adaptation: the first chain)."""
        return jax.block_until_ready(self.adaptation(jnp.asarray(x.numpy()), jax.random.key(seed)))

    def draw(self, x: Tensor, parameters: Any, seed: int) -> Run:
        """Draw samples with chains from x [chains, D]."""
        return jax.block_until_ready(self.program(jnp.asarray(x.numpy()), parameters, jax.random.key(seed + 10_000)))

    def _adapt(self, x: jax.Array, key: jax.Array) -> Any:
        algorithm = getattr(blackjax, self.name)
        warm_up = blackjax.window_adaptation(algorithm, self.log_p, **self.fixed)
        parameters = warm_up.run(key, x[0], self.warm_up)[0].parameters
        return {k: parameters[k] for k in ("step_size", "inverse_mass_matrix")}

    def _adapt_mala(self, x: jax.Array, key: jax.Array) -> Any:
        """Tune the step size by dual averaging over all chains (window adaptation needs a mass matrix)."""
        from blackjax.adaptation.step_size import dual_averaging_adaptation

        begin, update, final = dual_averaging_adaptation(0.574)
        kernel = blackjax.mala.build_kernel()

        def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
            state, adaptation = carry
            move = partial(kernel, logdensity_fn=self.log_p, step_size=jnp.exp(adaptation.log_step_size))
            state, info = jax.vmap(move)(jax.random.split(key, len(x)), state)
            return (state, update(adaptation, info.acceptance_rate.mean())), None

        start = jax.vmap(partial(blackjax.mala.init, logdensity_fn=self.log_p))(x)
        carry, _ = jax.lax.scan(step, (start, begin(0.1)), jax.random.split(key, self.warm_up))
        return {"step_size": final(carry[1])}

    def _draw(self, x: jax.Array, parameters: Any, key: jax.Array, steps: int) -> Run:
        kernel = getattr(blackjax, self.name)(self.log_p, **parameters, **self.fixed)

        def step(state: Any, key: jax.Array) -> tuple[Any, Any]:
            state, info = jax.vmap(kernel.step)(jax.random.split(key, len(x)), state)
            asked = getattr(info, "num_integration_steps", jnp.ones(len(x)))
            return state, (state.position, info.acceptance_rate.mean(), asked.mean(), asked.max())

        keys = jax.random.split(key, steps)
        draws, acceptance, asked, longest = jax.lax.scan(step, jax.vmap(kernel.init)(x), keys)[1]
        return Run(draws, acceptance.mean(), asked.mean(), longest.mean())
