"""Nets that fill in hidden coordinates without an energy."""

import pytest
import torch

import ebmsuite
from ebmsuite.energy import Clamped
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.nets.filling import convnet_filling
from ebmsuite.plugins.testing import watched_by
from ebmsuite.space import Space


def filling(*shape, **settings):
    torch.manual_seed(0)
    event = Space(shape)
    return convnet_filling(event, Clamped.given(event, Space(shape, kind="mask")), **settings)


@pytest.mark.parametrize("shape", [(2, 16), (3, 8, 16), (1, 8, 8, 8)])
def test_hidden_coordinates_depend_on_visible_ones_only(shape):
    density, rng = filling(*shape, channels=(4, 6), sd=0.1), torch.Generator().manual_seed(0)
    x, known = torch.randn(3, *shape), torch.rand(3, *shape) < 0.5
    other = torch.where(known, x, torch.randn(3, *shape))
    means = [density.mean(Clamped.given(values, known)) for values in (x, other)]
    assert torch.equal(*means)
    assert torch.equal(means[0][known], x[known])
    drawn = density.sample(3, rng, Clamped.given(x, known))
    assert torch.equal(drawn[known], x[known])
    assert 0 < float((drawn - means[0]).detach().abs().max()) < 1


def test_the_likelihood_is_normal_on_hidden_coordinates():
    density = filling(1, 8, channels=(4,), sd=0.5)
    x, known = torch.randn(2, 1, 8), torch.rand(2, 1, 8) < 0.5
    mean = density.mean(Clamped.given(x, known))
    expected = torch.distributions.Normal(mean, 0.5).log_prob(x)
    torch.testing.assert_close(density.log_prob(x, Clamped.given(x, known)), (expected * ~known).sum((1, 2)))


def test_what_the_data_do_not_know_does_not_count():
    density = filling(1, 8, channels=(4,), sd=0.5)
    x, visible, known = torch.randn(2, 1, 8), torch.rand(2, 1, 8) < 0.4, torch.rand(2, 1, 8) < 0.7
    given = Clamped.given(x * visible * known, visible & known)
    other = torch.where(known, x, 1e3)
    torch.testing.assert_close(density.log_prob(x, given, known), density.log_prob(other, given, known))
    assert float((density.log_prob(x, given) - density.log_prob(other, given)).min()) > 1e3


@pytest.mark.parametrize("twice", [False, True], ids=["whole", "incomplete"])
def test_it_learns_what_the_visible_part_says(tmp_path, twice):
    recipe = {
        "recipe": "filling-test",
        "data": {
            "data": {
                "name": "masked",
                "of": {"name": "normal", "n": 512, "dim": [1, 16], "sd": 0.0, "mean": 1.5},
                "masks": [{"name": "random", "hidden": 0.5}],
                "given": "condition",
            }
        },
        "players": {"density": {"name": "convnet-filling", "channels": [8]}},
        "trainer": {"name": "likelihood"},
        "optimisers": {"density": {"name": "adam", "lr": 0.01}},
        "budget": {"steps": 150, "batch": 32},
    }
    data = recipe["data"]["data"]
    if twice:
        data["of"] = {"name": "masked", "of": data["of"], "masks": data["masks"]}
    model = ebmsuite.load(ebmsuite.train(recipe, watched_by("log"), out=tmp_path / "run", quiet=True))
    known = torch.rand(8, 1, 16) < 0.5
    batch = model.data["test"].batch(torch.arange(8), torch.zeros(8, dtype=torch.int64))
    if twice:
        found = model.trainer.recover(batch, model.generator(0))
        assert torch.equal(found[batch.known], batch.truth[batch.known])
        assert float((found - 1.5).square().mean()) < 0.05
        return
    made = model.sample_for(batch, 1, model.generator(0))[:, 0]
    assert made.shape == known.shape
    assert float((made - 1.5).square().mean()) < 0.05


def test_wrong_settings_are_refused():
    with pytest.raises(RecipeError, match="does not fit"):
        filling(1, 9, channels=(4,))
    with pytest.raises(RecipeError, match="does not fit"):
        filling(1, 8, channels=(4,), kernels=3)
    with pytest.raises(RecipeError, match="masked"):
        convnet_filling(Space((1, 8)), None)
    with pytest.raises(RecipeError, match="1 to 3 axes"):
        filling(8)
    with pytest.raises(RecipeError, match="sd"):
        filling(1, 8, channels=(4,), sd=0.0)
    with pytest.raises(UserError, match="known"):
        filling(1, 8, channels=(4,)).mean(None)
