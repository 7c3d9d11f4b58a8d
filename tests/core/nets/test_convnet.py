"""Convolutional nets on one to three axes: positions, edges, stationarity, conditions, precision, and the inverse."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.density import Gaussian
from ebmsuite.errors import RecipeError
from ebmsuite.experiment.train import train
from ebmsuite.model import load
from ebmsuite.nets.conv3d import Conv3d
from ebmsuite.nets.convnet import convnet, convnet_encoder, convnet_levels, convolutions, deconvnet
from ebmsuite.space import Space

SHAPES = [(2, 21), (1, 16, 12), (3, 8, 12, 9)]
LATENT = Space((5,))
LABELS = Space((), kind="label", classes=3)
each_shape = pytest.mark.parametrize("shape", SHAPES)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@each_shape
@pytest.mark.parametrize("head", ["linear", "sum", "mean"])
@pytest.mark.parametrize("edges", ["zeros", "circular", "valid", "full"])
def test_one_energy_per_row_with_second_derivatives(shape, head, edges) -> None:
    energy = convnet(Space(shape), (4, 6), 3, (1, 2), edges, head, "silu", reference_sd=1.0, spectral_norm=True)
    energy.double().eval()
    x = torch.randn(3, *shape, dtype=torch.float64)
    values = energy(x)
    assert values.shape == (3,)
    torch.testing.assert_close(torch.cat([energy(row[None]) for row in x]), values)
    z = x[:1].clone().requires_grad_()
    assert torch.autograd.gradgradcheck(energy, (z,), fast_mode=True)
    (gradient,) = torch.autograd.grad(energy(z).sum(), z, create_graph=True)
    weights = [p for n, p in energy.named_parameters() if p.dim() > 2]
    assert len(weights) == 2
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(gradient.square().sum(), weights))


@each_shape
def test_the_layer_is_that_of_the_number_of_axes(shape) -> None:
    layers, features = convolutions(Space(shape), (4, 8), (3, 4), (1, 2))
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: Conv3d}[len(shape) - 1]
    assert [type(m) for m in layers[::2]] == [kind, kind]
    assert features.shape == (8, *(n // 2 for n in shape[1:]))
    assert nn.Sequential(*layers)(torch.rand(2, *shape)).shape == (2, *features.shape)


@pytest.mark.parametrize(
    ("kernels", "strides", "edges", "positions"),
    [
        (4, 3, "zeros", (4, 3)),  # 13 // 3 and 9 // 3, with one position more after the axis than before it
        ((5, (2, 0)), (1, (2, 1)), "circular", (6, 1)),
        ((3, 2), ((2, 1), 2), "valid", (3, 3)),
        (4, 3, "full", (4, 3)),
        ((3, 4), (1, 2), "full", (8, 6)),  # 15 and 11 after the first layer
    ],
)
def test_positions_after_the_layers(kernels, strides, edges, positions) -> None:
    channels = (3,) if isinstance(kernels, int) else (3, 3)
    layers, features = convolutions(Space((1, 13, 9)), channels, kernels, strides, edges)
    assert features.shape == (3, *positions)
    assert nn.Sequential(*layers)(torch.rand(2, 1, 13, 9)).shape == (2, *features.shape)


def test_circular_edges_make_a_stationary_energy_and_zeros_do_not() -> None:
    x = torch.randn(2, 1, 12, 8, 8, dtype=torch.float64)
    found = {}
    for edges in ("circular", "zeros"):
        energy = convnet(Space((1, 12, 8, 8)), (4, 4), (4, 3), (2, 1), edges, "sum").double()
        found[edges] = (energy(x) - energy(x.roll((4, -2, 6), (2, 3, 4)))).abs().max()
    assert found["circular"] < 1e-10
    assert found["zeros"] > 1e-3


def test_with_full_edges_as_many_features_see_the_ends_as_the_middle() -> None:
    x = torch.zeros(1, 1, 12, 10, requires_grad=True)
    layers, _ = convolutions(Space((1, 12, 10)), (1, 1), ((3, 4), (2, 4)), ((1, 2), (2, 2)), "full")
    net = nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.LeakyReLU)))
    for parameter in net.parameters():
        nn.init.constant_(parameter, 1.0)
    (seen,) = torch.autograd.grad(net(x).sum(), x)
    torch.testing.assert_close(seen, seen[:, :, :1, :1].expand_as(seen))


def test_a_position_bias_ends_stationarity_along_its_axes_only() -> None:
    energy = convnet(Space((1, 8, 6)), (3, 2), 3, 1, "circular", "sum", "silu", position_bias=(1,)).double()
    biases = [p for name, p in energy.named_parameters() if p.shape[-2:] == (1, 6)]
    assert [p.shape for p in biases] == [(3, 1, 6), (2, 1, 6)]
    for bias in biases:
        nn.init.normal_(bias)
    x = torch.randn(2, 1, 8, 6, dtype=torch.float64)
    torch.testing.assert_close(energy(x.roll(3, 2)), energy(x))
    assert (energy(x.roll(3, 3)) - energy(x)).abs().min() > 1e-3
    with pytest.raises(RecipeError, match=r"position_bias: the axes are 0 to 1, got \[2\]"):
        convnet(Space((1, 8, 6)), (3,), 3, 1, position_bias=(2,))


def test_a_spanning_kernel_is_stationary_along_the_other_axes_only() -> None:
    # as in dynamic textures: all positions of a frame are connected, and time is stationary
    energy = convnet(Space((1, 10, 6, 7)), (4, 5), ((3, 3, 3), (2, 0, 0)), 1, "valid", "sum").double()
    assert energy.net[2].weight.shape == (5, 4, 2, 4, 5)
    film = torch.zeros(1, 1, 10, 6, 7, dtype=torch.float64)
    film[:, :, 4:6, 2:4, 2:4] = torch.randn(2, 2, 2, dtype=torch.float64)
    late, right = film.roll(1, 2), film.roll(1, 4)
    torch.testing.assert_close(energy(late), energy(film))
    assert (energy(right) - energy(film)).abs() > 1e-6


@each_shape
@pytest.mark.parametrize("given", [LABELS, Space((2, 2)), (LABELS, Space((3,)))], ids=["label", "real", "both"])
def test_a_condition_changes_energies_and_generators(shape, given) -> None:
    leaf = {LABELS: torch.tensor([0, 1, 2])}
    condition = (leaf[LABELS], torch.randn(3, 3)) if isinstance(given, tuple) else leaf.get(given, torch.randn(3, 2, 2))
    other = (leaf[LABELS].flip(0), condition[1]) if isinstance(given, tuple) else condition.flip(0)
    energy = convnet(Space(shape), (4, 4), 3, 1, condition=given, activation="silu")
    generator = deconvnet(Space(shape), LATENT, (8, 4), 3, 1, condition=given)
    x, z = torch.rand(1, *shape).expand(3, *shape), torch.randn(1, 5).expand(3, 5)
    for values, changed in ((energy(x, condition), energy(x, other)), (generator(z, condition), generator(z, other))):
        torch.testing.assert_close(changed[1], values[1])
        assert (changed[0] - values[0]).abs().max() > 1e-6
        torch.testing.assert_close(changed[0], values[2], rtol=1e-3, atol=1e-5) if given is LABELS else None


def test_noise_levels_change_the_net() -> None:
    energy = convnet_levels(Space((1, 12)), 0.1, 2.0, channels=(4, 4))
    x = torch.randn(2, 1, 12)
    f = [energy.net(x, torch.full((2, 8), level)) for level in (0.0, 1.0)]
    assert (f[0] - f[1]).abs().min() > 1e-6
    with pytest.raises(RecipeError, match=r"convnet-levels.low: .* 0 < low < high"):
        convnet_levels(Space((1, 12)), 2.0, 0.1)


def test_large_energies_keep_their_differences() -> None:
    """Clips on the scale of 0 to 255: energies of 5e8, of which float32 keeps steps of 32."""
    event = Space((1, 40, 160, 160))
    energy = convnet(event, (2,), ((3, 0, 0),), 1, head="sum", reference_sd=1.0)
    x = 40 + torch.randn(1, *event.fixed)
    moved = x.clone()
    moved[0, 0, 3, 5, 5] += 0.1
    exact = (moved.double().square().sum() - x.double().square().sum()) / 2
    reference = energy.reference(moved) - energy.reference(x)
    assert energy.reference(x) > 5e8
    assert float(reference) == pytest.approx(float(exact), abs=1e-3)
    plain = Gaussian(event)
    assert abs(float(plain(moved) - plain(x)) - float(exact)) > 1
    assert energy(x).dtype == torch.float64


@pytest.mark.parametrize("shape", [(2, 22), (1, 28, 28), (3, 9, 12, 10)])
@pytest.mark.parametrize(("kernels", "strides"), [(4, 2), ((3, 5), (1, 3)), (((4, 3, 4), 4), ((2, 1, 2), (1, 2, 2)))])
def test_the_generator_makes_events_and_the_encoder_reads_them(shape, kernels, strides) -> None:
    axes = len(shape) - 1
    kernels, strides = (
        s if isinstance(s, int) else tuple(n if isinstance(n, int) else n[:axes] for n in s) for s in (kernels, strides)
    )
    if strides != 2 and not isinstance(strides[1], int):
        kernels, strides = (kernels[0], 4), (strides[0], 2)
    generator, encoder = (
        deconvnet(Space(shape), LATENT, (8, 4), kernels, strides),
        convnet_encoder(Space(shape), LATENT, (4, 8), kernels, strides),
    )
    x = generator(torch.randn(3, 5))
    assert x.shape == (3, *shape)
    assert x.abs().max() <= 1
    mean, log_sd = encoder.moments(x)
    assert mean.shape == log_sd.shape == (3, 5)
    assert deconvnet(Space(shape), LATENT, (8, 4), kernels, strides, output="linear").net[-1].weight.dim() == axes + 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: convnet(Space((3,))), r"convnet: events must be \[channels, 1 to 3 axes"),
        (lambda: convnet(Space((1, 2, 2, 2, 2))), r"convnet: events must be \[channels, 1 to 3 axes"),
        (
            lambda: convnet(Space((1, 8)), (4, 4, 4, 4)),
            r"layer 4 has the kernel \[4\] and stride \[2\].*\[1\] positions",
        ),
        (lambda: convnet(Space((1, 8, 8)), (4, 4), (3, 3, 3)), r"convnet.kernels: 2 layers need 2 entries, got 3"),
        (lambda: convnet(Space((1, 8, 8)), (4,), 3, ((1, 1, 1),)), r"convnet.strides: give one number or 2"),
        (lambda: convnet(Space((1, 8, 8)), (4,), 3, 0), r"convnet.strides: .* at least 1"),
        (lambda: convnet(Space((1, 8, 8)), ()), r"convnet.channels: must name at least one layer"),
        (lambda: convnet(Space((1, 8)), (4,), 11, 1, "circular"), r"do not fit the \[8\] positions"),
        (lambda: deconvnet(Space((1, 8)), LATENT, (4, 4), 4, 1), r"deconvnet: the kernel \[4\] with stride \[1\]"),
        (lambda: deconvnet(Space((1, 9)), LATENT, (4,), 2, 3), r"deconvnet: the kernel \[2\] with stride \[3\]"),
        (lambda: convnet_encoder(Space((1, 3)), LATENT, (4, 4, 4)), r"convnet-encoder: layer"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make, message) -> None:
    with pytest.raises(RecipeError, match=message):
        make()


def test_initial_weights_have_the_given_size() -> None:
    energy = convnet(Space((1, 8, 8)), (32, 32), 3, 1, init_sd=0.001)
    for layer in (energy.net[0], energy.net[2]):
        assert not layer.bias.any()
        assert layer.weight.detach().std().item() == pytest.approx(0.001, rel=0.15)


def test_a_recipe_trains_and_loads_it(tmp_path: Path) -> None:
    run = train(
        MLE_EXAMPLE, "data.dim=[1, 6, 6, 6]", "budget.steps=2", "budget.batch=4", "negative.steps=2",
        "players.energy={name: convnet, channels: [2, 3], kernels: [3, [2, 0, 0]], strides: 1, head: sum}",
        out=tmp_path / "run", quiet=True,
    )  # fmt: skip
    assert load(run).sample(2, seed=0).shape == (2, 1, 6, 6, 6)
