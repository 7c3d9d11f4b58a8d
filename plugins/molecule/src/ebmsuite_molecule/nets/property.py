"""Latent energy that also models the properties of the molecule."""

from __future__ import annotations

from torch import Tensor, nn

from ebmsuite.energy import Energy
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.nets.mlp import Activation, mlp, mlp_energy
from ebmsuite.space import ConditionSpace, Space
from ebmsuite.tree import Tree

__all__ = ["PropertyEnergy", "property_energy"]


class PropertyEnergy(Energy):
    """Joint energy E(z, y) = E(z) + |r(z) - y|^2 / (2 sd^2) of latent vector and properties.

    The density is p(z, y) = p(z) N(y; r(z), sd^2), so E(z) is the energy of the marginal p(z). ``regression`` computes
    r. ``y`` [B, P] are properties standardised with the training set's mean and sd. NaN marks a property that is
    unknown or unconstrained.
    """

    def __init__(self, prior: Energy, regression: nn.Module, sd: float) -> None:
        super().__init__()
        self.prior, self.regression, self.sd = prior, regression, sd

    def forward(self, x: Tensor, condition: Tree = None) -> Tensor:
        energy: Tensor = self.prior(x)
        if condition is None:
            return energy
        expected: Tensor = self.regression(x)
        if not isinstance(condition, Tensor) or condition.shape != expected.shape:  # a wrong shape would be broadcast
            got = list(condition.shape) if isinstance(condition, Tensor) else type(condition).__name__
            raise UserError(
                f"the condition of molecule/property is one row of {expected.shape[1]} properties per molecule, "
                f"[{len(x)}, {expected.shape[1]}], got {got}"
            )
        missed = (expected - condition).nan_to_num(0.0)
        return energy + missed.square().sum(1) / (2 * self.sd**2)


def property_energy(
    event: Space,
    condition: ConditionSpace,
    width: int = 200,
    depth: int = 2,
    activation: Activation = "gelu",
    reference_sd: float = 1.0,
    head_width: int = 50,
    sd: float = 0.3,
) -> PropertyEnergy:
    """Build a property energy from an MLP energy and an MLP regression on the latent vector."""
    if not isinstance(condition, Space):
        raise RecipeError("molecule/property: the condition of the data must be one row of properties; set properties")
    prior = mlp_energy(event, width, depth, activation, reference_sd)
    regression = mlp([event.size, head_width, head_width, condition.size], "relu")
    return PropertyEnergy(prior, nn.Sequential(nn.Flatten(), regression), sd)
