"""Spatial-temporal ConvNets: stationarity, the published scale, and the layers of the authors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ebmsuite.errors import RecipeError
from ebmsuite.nets.conv3d import Conv3d
from ebmsuite.space import Space
from ebmsuite_video.energies import GREY, PUBLISHED, Stationary, st_convnet

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
    assert torch.allclose(energy.reference(x), published, rtol=1e-6)
    assert energy(x).dtype == torch.float64
    # one Langevin step of 0.3 / 127.5 on events is one of 0.3 on 0..255
    h, x = 0.3, x[:1].double().requires_grad_()
    (gradient,) = torch.autograd.grad(energy.double()(x).sum(), x)
    step = GREY * (h / GREY) ** 2 / 2 * gradient
    y = (GREY * x).detach().requires_grad_()
    (there,) = torch.autograd.grad(energy(y / GREY).sum(), y)
    assert torch.allclose(step, h**2 / 2 * there, rtol=1e-9)


def test_a_constant_clip_is_not_dim_at_its_ends() -> None:
    torch.manual_seed(0)
    x = torch.full((1, 3, 12, 16, 16), 0.3, requires_grad=True)
    settings = {"channels": (6,), "kernels": (4,), "strides": (2,)}
    spread = {}
    for edges in ("replicate", "zeros"):
        torch.manual_seed(0)
        energy = st_convnet(EVENT, "space-time", edges=edges, init_sd=0.01, **settings)  # type: ignore[arg-type]
        features = energy.net[:-1](x).detach()  # type: ignore[operator]
        spread[edges] = float(features.std((2, 3, 4)).max() / features.mean())
    assert spread["replicate"] < 1e-5
    assert spread["zeros"] > 0.01


@pytest.mark.parametrize("stationary", ["space-time", "time", "none"])
def test_without_layers_it_has_those_of_the_authors(stationary: Stationary) -> None:
    energy = st_convnet(Space((3, 30, 24, 24)), stationary)
    layers = [m for m in energy.modules() if isinstance(m, Conv3d)]
    assert [m.out_channels for m in layers] == list(PUBLISHED[stationary][0])


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(RecipeError, match="together"):
        st_convnet(EVENT, channels=(4,))
    with pytest.raises(RecipeError, match="must be clips"):
        st_convnet(Space((3, 16, 16)))
    with pytest.raises(RecipeError, match="do not fit"):
        st_convnet(EVENT, channels=(4, 4), kernels=(4, 20), strides=(2, 1), edges="valid")
