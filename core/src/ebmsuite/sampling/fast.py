"""The fast path: compiled or graphed evaluation of energies and gradients, used when it measures faster.

A chain makes K evaluations of dE/dx, which are nearly its whole cost. Three routes compute them:

=========  =====================================================================================================
eager      the net without changes
compiled   forward and backward as one program (`torch.compile`): faster for elementwise energies, not convolutions
graphed    the eager kernels replayed as one CUDA graph: faster if launching them takes longer than running them
=========  =====================================================================================================

All routes share the parameters of the net, which are updated in place. Noise is drawn outside the routes, so every
route gets the same random numbers. Steps that need the autograd graph of a chain (reconstruction, improved CD) always
use the eager net.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError
from ebmsuite.sampling.kernel import Target, target_of
from ebmsuite.tree import Tree, flatten, tree_map

__all__ = ["FastPath", "Mode", "Route", "channels_last", "channels_last_3d", "compiled", "graphed"]

log = logging.getLogger("ebmsuite")

Route: TypeAlias = Literal["eager", "compiled", "graphed"]
Mode: TypeAlias = Literal["auto", "eager", "compiled", "graphed"]
ValueAndGrad: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]


class Program(Protocol):
    """(x, condition) -> (E [B], dE/dx)."""

    def __call__(self, x: Tensor, condition: Tree) -> tuple[Tensor, Tensor]: ...


TOLERANCE = 0.02
"""Relative error of the gradient from which a route is not used. Fused and unfused bf16 differ by half of that."""

SECONDS: dict[Route, float] = {"compiled": 30.0, "graphed": 1.0}
"""Cost of trying a route. It is tried only if the chains of the run take at least twenty times as long."""


class FastPath:
    """The routes of one energy, by the shapes of events and conditions (``routes``).

    All processes choose the route together at the first draw of learning; shapes that come later take the same route.
    ``mode`` "auto" measures. The name of a route selects it and raises `RecipeError` if it does not work. ``settled``
    says whether the choice was measured. If a route failed to compile, for instance because a signal ended the
    compiler, chains run eagerly in this process, and a resumed run tries again. ``draws`` is the expected number of
    draws of the run, over which the cost of a compilation is spread. ``agree`` gives all processes of a run the choice
    of the first.
    """

    def __init__(
        self,
        energy: Energy,
        mode: Mode = "eager",
        draws: int = 0,
        agree: Callable[[Route], Route] = lambda route: route,
        name: str = "chains",
    ) -> None:
        self.energy, self.mode, self.draws, self.agree, self.name = energy, mode, draws, agree, name
        self.routes: dict[str, Route] = {}
        self.settled = True
        self._checked: set[str] = set()
        self._made: dict[str, Program] = {}

    def choose(self, x: Tensor, condition: Tree, steps: int) -> None:
        """Choose the route for events like ``x``, drawn with ``steps`` steps, unless it has been chosen already.

        The trials leave all random generators of learning unchanged; the generator of dropout is restored.
        """
        key = _key(x, condition)
        if key not in self._checked:
            with torch.random.fork_rng([x.device] if x.is_cuda else []):
                self.routes[key] = self._chosen(key, x, condition, steps)
            self._checked.add(key)

    def _chosen(self, key: str, x: Tensor, condition: Tree, steps: int) -> Route:
        route = self.routes.get(key) if self.mode == "auto" else self.mode
        if route is None and self.routes:
            route = next(iter(self.routes.values()))  # lengths can differ between processes, so no agreement here
        if route is None:
            return self.agree(self._fastest(x, condition, steps))
        if route != "eager":
            try:
                self._of(route, x, condition)(x, condition)
            except Exception as error:  # compilers raise many kinds of errors
                raise RecipeError(
                    f"compute.fast: the {route} path, selected for this run, does not work here "
                    f"({_first_line(error)}); set compute.fast=eager"
                ) from error
        return route

    def target(self, x: Tensor, condition: Tree) -> Target:
        """The target of chains that start at ``x``: the route chosen for events like ``x``, or eager if none was."""
        eager, route = target_of(self.energy, x, condition), self.routes.get(_key(x, condition), "eager")
        if route == "eager":
            return eager
        function = self._of(route, x, condition)
        return eager._replace(value_and_grad=partial(function, condition=condition))

    def _of(self, route: Route, x: Tensor, condition: Tree) -> Program:
        key = f"{route} {_key(x, condition)}"
        if key not in self._made:
            self._made[key] = compiled(self.energy) if route == "compiled" else graphed(self.energy, x, condition)
        return self._made[key]

    def _fastest(self, x: Tensor, condition: Tree, steps: int) -> Route:
        eager = target_of(self.energy, x, condition).value_and_grad
        eager(x)
        expected = _seconds(eager, x) * steps * self.draws
        best: Route = "eager"
        failed = False
        ratio = 0.9  # a gain below 10 % does not justify another path
        routes: tuple[Route, ...] = ("graphed", "compiled") if x.is_cuda else ("compiled",)
        routes = tuple(route for route in routes if expected >= 20 * SECONDS[route])
        if routes and not _error(eager(x)[1], eager(x)[1]) < TOLERANCE:
            log.info(
                "%s: two gradients at the same point differ, for instance because of dropout, so that no faster path "
                "can be compared with them; chains run without it",
                self.name,
            )  # fmt: skip
            return best
        for route in routes:
            started = time.perf_counter()
            try:
                function = self._of(route, x, condition)
                gradient, exact = function(x, condition)[1], eager(x)[1]
            except Exception as error:
                failed = True
                log.warning(
                    "%s: the %s path failed (%s); chains run without it, and a resumed run tries it again",
                    self.name, route, _first_line(error),
                )  # fmt: skip
                continue
            took = time.perf_counter() - started
            off = _error(gradient, exact)
            if not off < TOLERANCE:
                log.warning("%s: the %s gradient has a relative error of %.1g; not used", self.name, route, off)
                continue
            fast = partial(function, condition=condition)
            found = statistics.median(_seconds(fast, x) / _seconds(eager, x) for _ in range(5))
            log.info("%s: %s takes %.2f of the eager time (built in %.0f s)", self.name, route, found, took)
            if found < ratio:
                best, ratio = route, found
        self.settled = best != "eager" or not failed
        return best


def _error(x: Tensor, exact: Tensor) -> float:
    """The relative error of x."""
    return float((x - exact).norm() / exact.norm().clamp(min=1e-30))


def compiled(energy: Energy) -> Program:
    """(x, condition) -> (E [B], dE/dx) as one compiled program, which is compiled at the first call."""

    def value_and_grad(x: Tensor, condition: Tree) -> tuple[Tensor, Tensor]:
        def total(x: Tensor) -> tuple[Tensor, Tensor]:
            value = energy(x, condition)
            return value.sum(), value

        gradient, value = torch.func.grad(total, has_aux=True)(x)
        return value, gradient

    program: Program = torch.compile(value_and_grad, dynamic=False)

    def call(x: Tensor, condition: Tree) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            value, gradient = program(x.detach(), condition)
        return value, gradient

    return call


def graphed(energy: Energy, x: Tensor, condition: Tree) -> Program:
    """(x, condition) -> (E [B], dE/dx) as one CUDA graph, for events and conditions of the given shapes."""
    held = x.detach().clone()
    kept = tree_map(lambda v: v.clone(), condition)
    eager = target_of(energy, held, kept).value_and_grad
    side = torch.cuda.Stream(x.device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(x.device))
    with torch.cuda.stream(side):  # libraries must initialise before the capture
        for _ in range(3):
            eager(held)
    torch.cuda.current_stream(x.device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        value, gradient = eager(held)

    def call(x: Tensor, condition: Tree) -> tuple[Tensor, Tensor]:
        held.copy_(x)
        tree_map(lambda old, new: old.copy_(new), kept, condition)
        graph.replay()
        return value.clone(), gradient.clone()  # the next replay overwrites them

    return call


def channels_last(net: nn.Module) -> None:
    """Convert the weights of 2-D convolutions to channels-last, in place, which makes gradients faster on CPUs."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)


def channels_last_3d(net: nn.Module, last: bool) -> bool:
    """Convert the weights of 3-D convolutions to channels-last, or back, in place. Whether the net has any.

    The format of the weights decides the format in which torch computes. Which one is faster depends on the machine:
    see `ebmsuite.experiment.pace`.
    """
    found = [module for module in net.modules() if isinstance(module, nn.Conv3d | nn.ConvTranspose3d)]
    for module in found:
        module.to(memory_format=torch.channels_last_3d if last else torch.contiguous_format)
    return bool(found)


def _key(x: Tensor, condition: Tree) -> str:
    """Device, dtype and shape of the events, and the shapes of the condition, with the keys of its dicts."""
    shapes = ["x".join(map(str, x.shape))]
    for path, v in flatten(condition).items():
        keys = [part for part in path.split(".") if part and not part.startswith("#")]
        shapes.append(" ".join([*keys, "x".join(map(str, v.shape))]))
    return f"{x.device.type} {str(x.dtype).removeprefix('torch.')} {' | '.join(shapes)}"


def _seconds(function: ValueAndGrad, x: Tensor, rounds: int = 3) -> float:
    """The shortest time of ``rounds`` evaluations at x, in seconds."""
    best = float("inf")
    for _ in range(rounds):
        if x.is_cuda:
            torch.cuda.synchronize(x.device)
        started = time.perf_counter()
        function(x)
        if x.is_cuda:
            torch.cuda.synchronize(x.device)
        best = min(best, time.perf_counter() - started)
    return best


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0][:200]
