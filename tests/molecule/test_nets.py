"""Decoders, encoders and the property energy against what they must be."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch

from ebmsuite.density import Gaussian
from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.nets.mlp import mlp_energy
from ebmsuite.space import Space
from ebmsuite_molecule.data.graphs import graphs
from ebmsuite_molecule.nets.decoders import lstm, lstm_density, transformer
from ebmsuite_molecule.nets.encoders import conv_encoder, gru_encoder
from ebmsuite_molecule.nets.graphs import graph_encoder
from ebmsuite_molecule.nets.property import property_energy

EVENT, LATENT = Space((None,), kind="tokens", classes=4), Space((3,))
SMALL = {"lstm": {"embedding": 5, "width": 7, "dropout": 0.0}, "transformer": {"width": 8, "depth": 2, "heads": 2}}


def decoder(kind: str, longest: int = 6, event: Space = EVENT):
    torch.manual_seed(0)
    make = {"lstm": lstm, "transformer": transformer}[kind]
    made = make(event, LATENT, longest=longest, **SMALL[kind]).eval()
    for parameter in made.parameters():
        parameter.data = torch.randn(parameter.shape) * 0.7
    made.out.bias.data[0] += 1.5  # most strings end
    return made


def every_string(longest: int) -> torch.Tensor:
    """All rows of the tokens 2 and 3 that end within ``longest``."""
    strings = [(*s, 1) for n in range(longest) for s in itertools.product((2, 3), repeat=n)]
    return torch.tensor([[*s, *[0] * (longest - len(s))] for s in strings])


@pytest.mark.parametrize("kind", SMALL)
def test_probabilities_sum_to_one_and_draws_follow_them(kind: str) -> None:
    net, longest = decoder(kind), 6
    x, z = every_string(longest), torch.tensor([[0.3, -1.0, 0.5]])
    p = net.log_prob(x, z.expand(len(x), -1)).exp().detach()
    drawn = net.decode(z.expand(20_000, -1), torch.Generator().manual_seed(0))
    ended = (drawn == 1).any(1)
    assert 0.2 < float(p.sum()) < 1
    assert abs(float(ended.double().mean()) - float(p.sum())) < 0.015  # the rest was cut off
    counts = torch.stack([(drawn == row).all(1).double().mean() for row in x])
    assert float((counts - p).abs().max()) < 0.015


@pytest.mark.parametrize("kind", SMALL)
def test_teacher_forcing_and_unrolling_agree(kind: str) -> None:
    net = decoder(kind)
    z, x = torch.randn(5, 3), torch.randint(1, 4, (5, 6))
    before = torch.cat([torch.zeros(5, 1, dtype=torch.int64), x[:, :-1]], 1)
    state, last, steps = net.begin(z), before[:, 0], []
    for t in range(6):
        logits, state = net.advance(before[:, t], state)
        steps.append(logits)
    assert last.eq(0).all()
    assert torch.allclose(torch.stack(steps, 1), net.logits(before, z), atol=1e-5)


@pytest.mark.parametrize("kind", SMALL)
def test_padding_counts_for_nothing_and_gradients_are_right(kind: str) -> None:
    net = decoder(kind, longest=12).double()
    x = torch.tensor([[2, 3, 1, 0, 0], [3, 3, 2, 2, 1]])
    z = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    longer = torch.nn.functional.pad(x, (0, 3))
    assert torch.allclose(net.log_prob(x, z), net.log_prob(longer, z))
    assert torch.autograd.gradcheck(lambda z: net.log_prob(x, z), (z,))
    assert not torch.allclose(net.log_prob(x, z), net.log_prob(x, z.roll(1, 0)), rtol=1e-3)  # z is used


def test_the_greedy_string_is_made_of_likeliest_tokens() -> None:
    net = decoder("lstm")
    x = net.likeliest(torch.randn(4, 3))
    for row in x:
        length = int((row > 0).sum())
        assert (row[length:] == 0).all()
        assert length == 6 or row[length - 1] == 1


def test_a_string_longer_than_the_decoder_is_named() -> None:
    net = decoder("transformer", longest=3)
    with pytest.raises(DataError, match=r"5 tokens.*longest is 3"):
        net.log_prob(torch.tensor([[2, 2, 2, 2, 1]]), torch.zeros(1, 3))


@pytest.mark.parametrize("x", [torch.tensor([2, 1]), torch.tensor([[2.0, 1.0]]), torch.tensor([[2, 1], [3, 1]])])
def test_events_that_are_no_rows_of_tokens_are_refused(x: torch.Tensor) -> None:
    with pytest.raises(DataError, match=r"rows of tokens, int64 \[1, L\], not torch"):
        decoder("lstm").log_prob(x, torch.zeros(1, 3))


@pytest.mark.parametrize(
    "make", [lstm, transformer, lambda event, latent, longest: lstm_density(event, longest=longest)]
)
def test_a_decoder_draws_strings_as_long_as_the_longest_of_the_data(make) -> None:
    event = dataclasses.replace(EVENT, longest=7)
    for longest in (None, 7, 9):
        net = make(event, Space((2,)), longest=longest)
        assert getattr(net, "decoder", net).longest == (longest or 7)
    for longest in (6, 1, 0):
        with pytest.raises(RecipeError, match=rf"longest: {longest} of the decoder is less than the 7 tokens"):
            make(event, Space((2,)), longest=longest)
    assert getattr(made := make(EVENT, Space((2,)), longest=5), "decoder", made).longest == 5  # as old runs are
    with pytest.raises(RecipeError, match="set longest of the decoder"):
        make(EVENT, Space((2,)), longest=None)


def test_a_density_without_a_latent_vector() -> None:
    torch.manual_seed(0)
    net = lstm_density(EVENT, embedding=4, width=6, dropout=0.0, longest=5)
    x = net.sample(8, torch.Generator().manual_seed(0))
    assert x.shape == (8, 5)
    assert net.log_prob(x[:, :4]).shape == (8,)
    loss = -net.log_prob(every_string(5)).mean()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


def test_decoders_are_for_tokens() -> None:
    with pytest.raises(ValueError, match="tokens, not real"):
        lstm(Space((3,)), LATENT)


@pytest.mark.slow
@pytest.mark.parametrize("make", [conv_encoder, gru_encoder])
def test_encoders_begin_at_the_normal_and_ignore_padding(make) -> None:
    torch.manual_seed(0)
    encoder = make(EVENT, LATENT, width=8)
    x = torch.tensor([[2, 3, 1, 0], [3, 2, 2, 1]])
    mean, log_sd = encoder.moments(x)
    assert mean.abs().max() == 0
    assert log_sd.abs().max() == 0
    z = torch.randn(2, 3)
    assert torch.allclose(encoder.log_prob(z, x), Gaussian(LATENT).log_prob(z))
    for parameter in encoder.parameters():
        parameter.data = torch.randn(parameter.shape) * 0.3
    longer = torch.nn.functional.pad(x, (0, 2))
    assert torch.allclose(encoder.log_prob(z, x), encoder.log_prob(z, longer), atol=1e-5)
    assert not torch.allclose(encoder.moments(x)[0][0], encoder.moments(x)[0][1], atol=1e-3)
    rng = torch.Generator().manual_seed(0)
    many = torch.stack([encoder.sample(2, rng, x) for _ in range(4000)])
    mean, log_sd = (m.detach() for m in encoder.moments(x))
    assert torch.allclose(many.mean(0), mean, atol=float(4 * log_sd.exp().max() / math.sqrt(4000)))


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
