"""Decoders, encoders and the language model without a latent vector, against what they must be."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch

from ebmsuite.builtin.examples import VAE_EXAMPLE
from ebmsuite.density import Gaussian
from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.nets.mlp import mlp_generator
from ebmsuite.nets.sequences import decoders
from ebmsuite.nets.sequences.decoders import lstm, lstm_density, transformer
from ebmsuite.nets.sequences.encoders import conv_encoder, gru_encoder
from ebmsuite.plugins.registry import Registry
from ebmsuite.ranks import Ranks
from ebmsuite.space import Space

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


@pytest.mark.parametrize("kind", SMALL)
def test_the_greedy_string_is_made_of_likeliest_tokens(kind: str) -> None:
    net, rng = decoder(kind), torch.Generator().manual_seed(0)
    z = torch.randn(6, 3, generator=rng)
    before = rng.get_state()
    x = net.decode(z, rng, likeliest=True)
    assert torch.equal(rng.get_state(), before)
    logits = net.logits(torch.nn.functional.pad(x[:, :-1], (1, 0)), z)
    for row, best in zip(x, 1 + logits.argmax(2), strict=True):
        length = int((row > 0).sum())
        assert torch.equal(row[:length], best[:length])
        assert (row[length:] == 0).all()
        assert length == 6 or row[length - 1] == 1
    for cold in (1e-3, 1e-30):  # the limit of temperature 0
        assert torch.equal(net.decode(z, rng, temperature=cold), x)


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tempered_draws_follow_the_tempered_probabilities(kind: str, temperature: float) -> None:
    net, x, z = decoder(kind, longest=4), every_string(4), torch.tensor([[0.3, -1.0, 0.5]])
    logits = net.logits(torch.nn.functional.pad(x[:, :-1], (1, 0)), z.expand(len(x), -1))
    each = (logits / temperature).log_softmax(2).gather(2, (x - 1).clamp(min=0)[..., None])[..., 0]
    p = (each * (x > 0)).sum(1).exp().detach()
    drawn = net.decode(z.expand(20_000, -1), torch.Generator().manual_seed(0), temperature=temperature)
    counts = torch.stack([(drawn == row).all(1).double().mean() for row in x])
    assert float((counts - p).abs().max()) < 0.015
    if temperature == 1:
        plain = net.decode(z.expand(20_000, -1), torch.Generator().manual_seed(0))
        assert torch.equal(plain, drawn)
        assert torch.allclose(p, net.log_prob(x, z.expand(len(x), -1)).exp().detach())


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_temperatures_that_are_none_are_refused(temperature: float) -> None:
    with pytest.raises(UserError, match="temperature: must be above 0 and finite"):
        decoder("lstm").decode(torch.zeros(1, 3), torch.Generator(), temperature=temperature)


def test_the_mean_of_a_continuous_event_has_no_temperature() -> None:
    net, z = mlp_generator(Space((2,)), LATENT, width=4, depth=1), torch.randn(5, 3)
    rng = torch.Generator().manual_seed(0)
    for how in ({}, {"temperature": 3.0}, {"likeliest": True}):
        assert torch.equal(net.decode(z, rng, **how), net(z))


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


@pytest.mark.parametrize(
    ("player", "net", "message"),
    [
        ("generator", "lstm", "a decoder of sequences is for events that are tokens, not real"),
        ("generator", "transformer", "a decoder of sequences is for events that are tokens, not real"),
        ("encoder", "gru-encoder", "an encoder of sequences is for events that are tokens, not real"),
        ("encoder", "conv-encoder", "an encoder of sequences is for events that are tokens, not real"),
    ],
)
def test_a_recipe_with_other_events_than_tokens_is_refused(player: str, net: str, message: str) -> None:
    registry = Registry()
    recipe = read_recipe(VAE_EXAMPLE, registry, [f"players.{player}={{name: {net}}}"])
    with pytest.raises(RecipeError, match=f"^players.{player}: {message}"):
        Experiment.with_data(recipe, registry, torch.device("cpu"), Ranks())


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
    many = encoder.sample(8000, rng, x.repeat(4000, 1)).view(4000, 2, 3)
    mean, log_sd = (m.detach() for m in encoder.moments(x))
    assert torch.allclose(many.mean(0), mean, atol=float(4 * log_sd.exp().max() / math.sqrt(4000)))


@pytest.mark.parametrize("changed", [{"heads": 3}, {"heads": 0}, {"memories": 0}])
def test_numbers_of_a_transformer_that_do_not_fit_are_refused(changed: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"transformer: at least one head and one memory.*got heads"):
        transformer(EVENT, LATENT, longest=5, **{"width": 8, "heads": 2, **changed})


def test_large_vocabularies_are_scored_and_drawn_by_the_same_distribution(monkeypatch) -> None:
    event, latent = Space((None,), kind="tokens", classes=12, longest=6), Space((3,))
    torch.manual_seed(0)
    net = decoders.lstm(event, latent, embedding=4, width=8).eval()
    x, z = torch.tensor([[5, 7, 11, 1], [9, 1, 0, 0]]), torch.randn(2, 3)
    small = net.log_prob(x, z)
    monkeypatch.setattr(decoders, "MANY", 2)
    assert torch.allclose(net.log_prob(x, z), small, atol=1e-5)
    z = z[:1].expand(40_000, -1)
    first = net.decode(z, torch.Generator().manual_seed(0))[:, 0]
    with torch.no_grad():
        p = net.advance(torch.zeros(1, dtype=torch.int64), net.begin(z[:1]))[0].softmax(1)[0]
    assert torch.allclose((first - 1).bincount(minlength=11) / len(z), p, atol=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_the_inverse_distribution_function_never_draws_a_category_of_probability_zero(seed: int) -> None:
    p = torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0], [1.0, 0, 0, 0, 0], [0, 0, 0, 0, 1.0]]).repeat(5000, 1)
    drawn = decoders._inverse(p, torch.Generator().manual_seed(seed))
    assert bool((p.gather(1, drawn[:, None]) > 0).all())
