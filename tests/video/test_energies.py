"""Spatial-temporal ConvNets: stationarity, the published scale, and the layers of the authors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ebmsuite.errors import RecipeError
from ebmsuite.nets.conv3d import Conv3d
from ebmsuite.space import Space
from ebmsuite_video.energies import GREY, PUBLISHED, SmoothField, Stationary, coverage, st_convnet
from ebmsuite_video.fills import harmonic

EVENT = Space((3, 12, 16, 16), (-1.0, 1.0))
SMALL = {
    "space-time": {"channels": (4,), "kernels": (4,), "strides": (1,)},
    "time": {"channels": (4, 3), "kernels": ((3, 4, 4), (3, 0, 0)), "strides": ((1, 2, 2), 1)},
    "none": {"channels": (4, 3), "kernels": ((3, 4, 4), 0), "strides": ((1, 2, 2), 1)},
}


def moved(energy: nn.Module, axis: int) -> float:
    """The relative change of f when a spot inside a clip moves by two voxels along an axis."""
    x = torch.zeros(2, 3, 12, 16, 16, dtype=torch.float64)
    place = [5, 7, 7]
    x[0, :, place[0], place[1], place[2]] = 0.5
    place[axis] += 2
    x[1, :, place[0], place[1], place[2]] = 0.5
    f = energy.net(x).detach()  # type: ignore[operator]
    empty = energy.net(torch.zeros_like(x)).detach()  # type: ignore[operator]
    return float((f[1] - f[0]).abs() / (f - empty).abs().max())


@pytest.mark.parametrize(
    ("stationary", "fixed"), [("space-time", (True, True)), ("time", (True, False)), ("none", (False, False))]
)
def test_the_energy_is_stationary_along_the_named_axes(stationary: str, fixed: tuple[bool, bool]) -> None:
    torch.manual_seed(0)
    energy = st_convnet(EVENT, stationary, init_sd=0.1, **SMALL[stationary]).double()  # type: ignore[arg-type]
    for axis, still in zip((0, 2), fixed, strict=True):
        assert (moved(energy, axis) < 1e-10) == still


def test_events_are_seen_on_the_published_scale() -> None:
    energy = st_convnet(EVENT, "time", init_sd=0.01, **SMALL["time"])  # type: ignore[arg-type]
    x = 0.1 * torch.randn(2, 3, 12, 16, 16, generator=torch.Generator().manual_seed(0))
    published = (GREY * x).double().square().flatten(1).sum(1) / 2  # white noise of sd 1 on 0..255
    white = st_convnet(EVENT, "time", edges="valid", init_sd=0.01, **SMALL["time"])  # type: ignore[arg-type]
    assert torch.allclose(white.reference(x), published, rtol=1e-6)  # type: ignore[union-attr]
    assert energy(x).dtype == torch.float64
    # one Langevin step of 0.3 / 127.5 on events is one of 0.3 on 0..255
    h, x = 0.3, x[:1].double().requires_grad_()
    (gradient,) = torch.autograd.grad(energy.double()(x).sum(), x)
    step = GREY * (h / GREY) ** 2 / 2 * gradient
    y = (GREY * x).detach().requires_grad_()
    (there,) = torch.autograd.grad(energy(y / GREY).sum(), y)
    assert torch.allclose(step, h**2 / 2 * there, rtol=1e-9)


@pytest.mark.parametrize("stationary", ["space-time", "time", "none"])
def test_coverage_counts_the_paths_through_the_net(stationary: Stationary) -> None:
    settings = SMALL[stationary]
    energy = st_convnet(EVENT, stationary, **settings)  # type: ignore[arg-type]
    for module in energy.modules():
        if isinstance(module, Conv3d):
            nn.init.ones_(module.weight)
    x = torch.ones(1, *EVENT.fixed, requires_grad=True)
    (paths,) = torch.autograd.grad(energy.net(x).sum(), x)  # type: ignore[operator]
    share = paths[0, 0] / paths.max()
    assert torch.allclose(coverage(EVENT, settings["kernels"], settings["strides"]), share)  # type: ignore[arg-type]
    assert share.min() < 0.5


def test_a_clip_that_all_filters_agree_on_is_not_dim_at_its_ends() -> None:
    """A filter of ones pulls every voxel up by its number of paths; the lowest energy must be a constant clip."""
    found = {}
    for edges in ("covered", "valid"):
        energy = st_convnet(EVENT, "space-time", (1,), (4,), (2,), edges=edges)  # type: ignore[arg-type]
        for module in energy.modules():
            if isinstance(module, Conv3d):
                nn.init.constant_(module.weight, 0.01)
        x = torch.zeros(1, *EVENT.fixed) + 1e-3
        for _ in range(60):  # gradient descent in the energy's units, which reach the minimum
            x = x.requires_grad_()
            (gradient,) = torch.autograd.grad(energy(x).sum(), x)
            x = (x - 0.5 / GREY**2 * energy.scale(x) ** 2 * gradient).detach()
        found[edges] = float(x.min() / x.max())
    assert found["covered"] == pytest.approx(1, abs=1e-4)
    assert found["valid"] < 0.2


def test_the_mean_of_a_smooth_field_given_known_voxels_is_the_harmonic_fill() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, 6, 5, 7, generator=g, dtype=torch.float64)
    known = torch.rand(x.shape, generator=g) > 0.5
    energy = SmoothField((1.0, 3.0), 1e6)
    filled = harmonic(x * known, known, 9.0).requires_grad_()
    (gradient,) = torch.autograd.grad(energy(filled).sum(), filled)
    assert gradient[~known].abs().max() < 1e-4
    assert gradient[known].abs().max() > 0.1
    white = SmoothField((1e6, 1e6), 2.0)
    assert float(white(x)) == pytest.approx(float(x.square().sum()) / 8, rel=1e-6)
    clips = st_convnet(EVENT, "time", edges="valid", difference_sd=(2.0, 6.0), **SMALL["time"])  # type: ignore[arg-type]
    assert clips(torch.zeros(2, *EVENT.fixed)).dtype == torch.float64


@pytest.mark.parametrize("stationary", ["space-time", "time", "none"])
def test_without_layers_it_has_those_of_the_authors(stationary: Stationary) -> None:
    energy = st_convnet(Space((3, 70, 48, 48)), stationary, edges="zeros")
    layers = [m for m in energy.modules() if isinstance(m, Conv3d)]
    assert [m.out_channels for m in layers] == list(PUBLISHED[stationary][0])


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(RecipeError, match="together"):
        st_convnet(EVENT, channels=(4,))
    with pytest.raises(RecipeError, match="must be clips"):
        st_convnet(Space((3, 16, 16)))
    with pytest.raises(RecipeError, match="do not fit"):
        st_convnet(EVENT, channels=(4, 4), kernels=(4, 20), strides=(2, 1), edges="valid")
