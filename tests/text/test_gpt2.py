"""The GPT-2 decoder against its own uncached pass, and its derivatives."""

from __future__ import annotations

import builtins

import pytest
import torch

from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.space import Space
from ebmsuite_text.generators.gpt2 import gpt2, gpt2_density

pytest.importorskip("transformers")
EVENT, LATENT = Space((None,), kind="tokens", classes=7, longest=6), Space((3,))
SMALL = {"width": 8, "depth": 2, "heads": 2}


def decoder(**settings: object):
    torch.manual_seed(0)
    net = gpt2(EVENT, LATENT, **SMALL, **settings).double().eval()
    for parameter in net.parameters():  # GPT-2's small initial weights would hide a wrong position
        parameter.data += 0.5 * torch.randn(parameter.shape, dtype=parameter.dtype)
    return net


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_cached_logits_are_those_of_the_uncached_pass_at_every_token(attention: str) -> None:
    net, z = decoder(attention=attention), torch.randn(5, 3).double()
    x = net.decode(z, torch.Generator().manual_seed(1))
    before = torch.nn.functional.pad(x[:, :-1], (1, 0))
    whole, state = net.logits(before, z), net.begin(z)
    for t in range(x.shape[1]):
        one, state = net.advance(before[:, t], state)
        torch.testing.assert_close(one, whole[:, t])


def test_greedy_tokens_are_those_of_uncached_passes() -> None:
    net, z = decoder(), torch.randn(5, 3).double()
    x = net.decode(z, torch.Generator(), likeliest=True)
    for row, latent in zip(x.tolist(), z, strict=True):
        before = [0]
        for token in row:
            assert token == 1 + int(net.logits(torch.tensor([before]), latent[None])[0, -1].argmax())
            before.append(token)
            if token == 1:
                break


def test_a_logit_depends_on_earlier_tokens_and_on_z_only() -> None:
    net, z = decoder(), torch.randn(1, 3).double()
    one, other = torch.tensor([[0, 2, 3, 4]]), torch.tensor([[0, 2, 3, 5]])
    a, b = net.logits(one, z), net.logits(other, z)
    torch.testing.assert_close(a[:, :3], b[:, :3])
    assert not torch.allclose(a[:, 3], b[:, 3])
    assert bool(((net.logits(one, -z) - a).abs().amax(2) > 1e-3).all())


def test_gradients_in_z_and_second_derivatives_of_eager_attention() -> None:
    x, z = torch.tensor([[2, 3, 1, 0], [4, 1, 0, 0]]), torch.randn(2, 3).double().requires_grad_()
    for attention in ("sdpa", "eager"):
        net = decoder(attention=attention)
        assert torch.autograd.gradcheck(lambda z, net=net: net.log_prob(x, z), z)
    net = decoder(attention="eager")
    assert torch.autograd.gradgradcheck(lambda z: net.log_prob(x, z), z)


def test_padding_counts_for_nothing() -> None:
    net, z = decoder(), torch.randn(1, 3).double()
    x = torch.tensor([[2, 3, 1]])
    torch.testing.assert_close(net.log_prob(x, z), net.log_prob(torch.nn.functional.pad(x, (0, 3)), z))


def test_a_language_model_without_a_latent_vector() -> None:
    torch.manual_seed(0)
    net = gpt2_density(EVENT, **SMALL).eval()
    x = net.sample(4, torch.Generator().manual_seed(0))
    assert x.shape == (4, 6)
    assert bool(torch.isfinite(net.log_prob(x)).all())


def test_what_does_not_fit_is_refused(monkeypatch) -> None:
    with pytest.raises(RecipeError, match="heads"):
        gpt2(EVENT, LATENT, width=8, depth=1, heads=3)
    with pytest.raises(DataError, match="longest is 6"):
        decoder().log_prob(torch.full((1, 7), 2), torch.zeros(1, 3).double())
    plain = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name == "transformers":
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingData, match=r"ebmsuite-text\[gpt2\]"):
        decoder()
