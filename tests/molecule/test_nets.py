"""The graph encoder and the property energy against what they must be."""

from __future__ import annotations

import math

import pytest
import torch

from ebmsuite.errors import DataError, UserError
from ebmsuite.nets.mlp import mlp_energy
from ebmsuite.plugins.registry import Registry
from ebmsuite.space import Space
from ebmsuite_molecule.data.graphs import graphs
from ebmsuite_molecule.nets.graph_encoder import graph_encoder
from ebmsuite_molecule.nets.property import property_energy

EVENT, LATENT = Space((None,), kind="tokens", classes=4), Space((3,))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("generator", "lstm"),
        ("generator", "transformer"),
        ("density", "lstm"),
        ("density", "gru-encoder"),
        ("density", "conv-encoder"),
    ],
)
def test_the_names_of_old_recipes_are_those_of_core(kind: str, name: str) -> None:
    registry = Registry()
    assert registry.resolve(kind, f"molecule/{name}") is registry.resolve(kind, name)


def test_a_graph_encoder_sees_the_molecule_and_not_its_spelling() -> None:
    torch.manual_seed(0)
    encoder = graph_encoder(EVENT, LATENT, width=16, depth=3)
    for parameter in encoder.parameters():
        parameter.data = torch.randn(parameter.shape) * 0.3
    spellings = ["CC(=O)Oc1ccccc1C(=O)O", "O=C(O)c1ccccc1OC(C)=O", "CCO", "C"]
    mean, _ = encoder.moments(graphs(spellings))
    assert torch.allclose(mean[0], mean[1], atol=1e-4)
    assert not torch.allclose(mean[0], mean[2], atol=1e-2)
    alone, _ = encoder.moments(graphs(["CCO"]))  # without padding
    assert torch.allclose(alone[0], mean[2], atol=1e-4)
    assert torch.isfinite(mean).all()  # methane has no bond


def test_a_graph_of_no_molecule_is_refused() -> None:
    with pytest.raises(DataError, match=r"molecule 2 of 2, 'C1CC': no molecule"):
        graphs(["CCO", "C1CC"])
    with pytest.raises(DataError, match=r"molecule 1 of 1, .*: no graph"):
        graphs(["[U]" + "(C)" * 12])
    with pytest.raises(DataError, match=r"molecule 1 of 1, .*: no molecule"):
        graphs(["C" * 20_000])


def test_the_property_energy_is_a_joint_whose_marginal_is_the_prior() -> None:
    torch.manual_seed(0)
    energy = property_energy(LATENT, Space((1,)), width=8, head_width=8, sd=0.3).double()
    z = torch.randn(4, 3, dtype=torch.float64)
    y = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    joint = torch.stack([(-energy(z[i].expand(len(y), -1), y[:, None])).exp() for i in range(4)])
    integral = torch.trapezoid(joint, y)  # over y
    ratio = integral / (-energy(z)).exp()
    assert torch.allclose(ratio, torch.full_like(ratio, 0.3 * math.sqrt(2 * math.pi)), rtol=1e-6)


def test_a_property_that_is_not_known_counts_for_nothing() -> None:
    torch.manual_seed(0)
    energy = property_energy(LATENT, Space((2,)), width=8, head_width=8)
    z = torch.randn(3, 3, requires_grad=True)
    unknown = energy(z, torch.full((3, 2), torch.nan))
    assert torch.equal(unknown, energy(z))
    half = energy(z, torch.tensor([[0.5, torch.nan]]).expand(3, -1))
    (gradient,) = torch.autograd.grad(half.sum(), z)
    assert torch.isfinite(gradient).all()
    assert (half > unknown).all()
    for wrong in (torch.zeros(3), torch.zeros(3, 1), torch.zeros(1, 2), torch.zeros(3, 3), (torch.zeros(3, 2),)):
        with pytest.raises(UserError, match=r"one row of 2 properties per molecule, \[3, 2\], got"):
            energy(z, wrong)
    prior = mlp_energy(LATENT, 8, 2, "gelu", 1.0)
    assert prior(z).shape == unknown.shape
