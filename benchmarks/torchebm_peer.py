"""TorchEBM on the suite's energies. Its step size eta is our gradient weight w; its noise, sqrt(2 eta) noise_scale."""

from __future__ import annotations

import torch
from methods import Work
from torch import Tensor, nn
from torchebm.core import BaseModel
from torchebm.losses import ContrastiveDivergence
from torchebm.samplers import LangevinDynamics


class Model(BaseModel):
    """A TorchEBM model that wraps an energy of the suite."""

    def __init__(self, energy: nn.Module, device: torch.device) -> None:
        super().__init__(device=device)
        self.energy = energy

    def forward(self, x: Tensor) -> Tensor:
        return self.energy(x)


def langevin(
    energy: nn.Module, x: Tensor, steps: int, w: float, n: float, diagnostics: bool = False, compiled: bool = False
) -> Work:
    """`LangevinDynamics` with chains that start at x."""
    model = Model(torch.compile(energy, dynamic=False) if compiled else energy, x.device)
    sampler = LangevinDynamics(model, step_size=w, noise_scale=n / (2 * w) ** 0.5, device=x.device)
    return lambda: sampler.sample(x=x, n_steps=steps, return_diagnostics=diagnostics)


def learning(energy: nn.Module, x: Tensor, steps: int, w: float, n: float, lr: float, times: int) -> Work:
    """``times`` learning steps on the batch x: `ContrastiveDivergence` without persistent chains or L2, and Adam."""
    model = Model(energy, x.device)
    sampler = LangevinDynamics(model, step_size=w, noise_scale=n / (2 * w) ** 0.5, device=x.device)
    loss = ContrastiveDivergence(
        model, sampler, k_steps=steps, persistent=False, energy_reg_weight=0.0, device=x.device
    )
    optimiser = torch.optim.Adam(energy.parameters(), lr=lr)

    def work() -> None:
        for _ in range(times):
            optimiser.zero_grad(set_to_none=True)
            loss(x)[0].backward()
            optimiser.step()

    return work
