"""Write data/lanes.npz, the experts of the world with obstacles, and print the checks of their sampler.

Controls are drawn from exp(-cost) by Hamiltonian Monte Carlo in whitened coordinates: a pilot run gives the whitening,
then every scene has one chain of ``STEPS`` transitions, whose end is its expert. Checks on ``CHECKED`` scenes with four
chains each, from starts three times as wide as the experts: rank-normalised split R-hat and effective sample sizes of
all features and of the position across the road at each obstacle, and whether obstacles are passed on both sides.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ebmsuite.energy import Energy
from ebmsuite.sampling import HMC, run, target_of, warm_up
from ebmsuite.sampling.diagnostics import ess_bulk, rhat
from ebmsuite.sampling.kernel import Held, Info
from ebmsuite_trajectory.controls import Whitening
from ebmsuite_trajectory.costs import features_of
from ebmsuite_trajectory.data.lanes import ROAD, SIZES, make_scenes, raw_cost
from ebmsuite_trajectory.dynamics import DYNAMICS

TARGET = Path(__file__).parent.parent / "src" / "ebmsuite_trajectory" / "data" / "lanes.npz"
STEPS = 400
CHECKED = 100


class Known(Energy):
    """The true cost of whitened controls."""

    def __init__(self, whitening: Whitening) -> None:
        super().__init__()
        self.whitening = whitening

    def forward(self, x: Tensor, condition: object = None) -> Tensor:
        return raw_cost(ROAD, self.whitening.controls(x, condition), condition)


def repeated(scene: dict[str, Tensor], times: int) -> dict[str, Tensor]:
    return {k: v.repeat_interleave(times, 0) for k, v in scene.items()}


def statistics(u: Tensor, scene: dict[str, Tensor]) -> Tensor:
    """Sums of features over time, and the position across the road at each obstacle [B, K + N]."""
    dynamics = DYNAMICS[ROAD.dynamics](dt=ROAD.dt)
    states = dynamics.rollout(scene["state"], u)
    sums = features_of(tuple(ROAD.weights), states, u, scene, dynamics).sum(1)
    nearest = (states[:, :, None, 0] - scene["obstacles"][:, None, :, 0]).abs().argmin(1)
    return torch.cat([sums, states[..., 1].gather(1, nearest)], 1)


def main() -> None:
    rng = torch.Generator().manual_seed(0)
    scene = make_scenes(ROAD, sum(SIZES.values()), rng)
    size = ROAD.steps * 2
    first = {k: v[:600] for k, v in scene.items()}
    # a pilot run in coordinates scaled by the curvature of the quadratic costs of the controls
    sd = torch.tensor([1 / (2 * ROAD.weights[k]) ** 0.5 for k in ("acceleration", "turning")]).repeat(ROAD.steps)
    columns = 1 + first["state"].shape[1] + 1 + 3 * ROAD.obstacles
    plain = Whitening(((0.0,) * columns,) * size, tuple(map(tuple, torch.diag(sd).tolist())))
    x = torch.randn((600, ROAD.steps, 2), generator=rng)
    target = target_of(Known(plain), x, first)
    hmc, x = warm_up(HMC(0.1, leapfrog=12), target, x, 150, rng)
    state, info = run(hmc, target, x, 100, rng)
    print(f"pilot: step size {hmc.step_size:.3f}, acceptance {float(info.acceptance.mean()):.2f}")
    white = Whitening.fit(plain.controls(state.x, first), first)

    check, chains = {k: v[:CHECKED] for k, v in scene.items()}, 4
    many = repeated(check, chains)
    x = 3 * torch.randn((CHECKED * chains, ROAD.steps, 2), generator=rng)
    target = target_of(Known(white), x, many)
    hmc, _ = warm_up(HMC(0.3, leapfrog=10), target, x, 150, rng)
    kept: list[Tensor] = []

    def keep(step: int, state: Held, info: Info) -> None:
        kept.append(statistics(white.controls(state.x, many), many))

    _, info = run(hmc, target, x, STEPS, rng, keep)
    print(f"main: step size {hmc.step_size:.3f}, acceptance {float(info.acceptance.mean()):.2f}")
    # [draws, chains, scenes, statistics]; what depends on absent obstacles does not count
    draws = torch.stack(kept[STEPS // 4 :]).unflatten(1, (CHECKED, chains)).transpose(1, 2)
    features, present = len(ROAD.weights), check["present"]
    known = torch.ones(CHECKED, features, dtype=torch.bool)
    known[:, [*ROAD.weights].index("obstacles")] = present.any(1)
    known = torch.cat([known, present], 1)
    r, ess = (of(draws)[known] for of in (rhat, ess_bulk))
    print(f"R-hat: median {float(r.median()):.3f}, 99 % {float(r.quantile(0.99)):.3f}, largest {float(r.max()):.3f}")
    size = draws.shape[0] * chains
    print(f"effective samples of {size}: smallest {float(ess.min()):.0f}, median {float(ess.median()):.0f}")
    share = (draws[..., features:] > check["obstacles"][..., 1]).float().mean((0, 1))
    central = present & (check["obstacles"][..., 1].abs() < 0.5)
    both = float(((share[central] - 0.5).abs() < 0.45).float().mean())
    print(f"{int(central.sum())} obstacles within 0.5 m of the lane's centre; passed on both sides: {both:.2f} of them")

    x = torch.randn((len(scene["speed"]), ROAD.steps, 2), generator=rng)
    state, info = run(hmc, target_of(Known(white), x, scene), x, STEPS, rng)
    u = white.controls(state.x, scene)
    # rounding to float16 moves a control by less than a thousandth of its standard deviation
    arrays = {k: v.numpy() for k, v in scene.items()} | {"controls": u.half().numpy()}
    np.savez_compressed(TARGET, **arrays)
    print(TARGET.name, TARGET.stat().st_size, "bytes; acceptance", round(float(info.acceptance.mean()), 2))


if __name__ == "__main__":
    sys.exit(main())
