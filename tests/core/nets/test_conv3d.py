"""3-D convolutions in other forms: the numbers, derivatives and parameters of torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ebmsuite.nets import conv3d as module
from ebmsuite.nets.conv3d import Conv3d, form_of


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The other forms that were used."""
    seen: list[str] = []

    def noted(name: str) -> None:
        form = getattr(module, name)

        def noting(*args: object) -> torch.Tensor:
            seen.append(name)
            return form(*args)  # type: ignore[no-any-return]

        monkeypatch.setattr(module, name, noting)

    noted("conv3d")
    noted("in_blocks")
    return seen


def pair(*args: object, **settings: object) -> tuple[Conv3d, nn.Conv3d]:
    torch.manual_seed(0)
    ours, theirs = Conv3d(*args, **settings), nn.Conv3d(*args, **settings)  # type: ignore[arg-type]
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return ours, theirs


@pytest.mark.parametrize(
    ("form", "args", "settings", "shape"),
    [
        ("conv3d", (1, 8, 16, 3), {}, (2, 1, 25, 22, 24)),
        ("conv3d", (3, 5, 7, 2), {"padding": 3}, (1, 3, 9, 12, 10)),
        ("conv3d", (2, 4, (5, 8, 6)), {"stride": (2, 1, 1), "padding": (2, 0, 0), "bias": False}, (2, 2, 9, 8, 6)),
        ("conv3d", (4, 6, 3), {"padding": 1, "padding_mode": "circular"}, (2, 4, 5, 6, 7)),
        ("conv3d", (7, 5, (4, 6, 5)), {"stride": (2, 1, 1)}, (3, 7, 9, 6, 5)),  # spans the frame
        ("conv3d", (6, 3, (1, 4, 4)), {"padding": (1, 0, 0), "padding_mode": "circular"}, (1, 6, 3, 4, 4)),
        (
            "conv3d",
            (1, 3, (4, 2, 3)),
            {"stride": (1, 3, 2), "padding": (1, 0, 2), "padding_mode": "replicate"},
            (2, 1, 4, 7, 5),
        ),
        ("in_blocks", (1, 3, (4, 6, 3)), {"stride": (2, 3, 3)}, (2, 1, 9, 13, 7)),
        ("in_blocks", (3, 4, 4, 2), {"padding": 1}, (2, 3, 8, 9, 10)),
        (
            "in_blocks",
            (2, 4, (1, 4, 2)),
            {"stride": (1, 2, 2), "padding": 2, "padding_mode": "circular"},
            (1, 2, 4, 6, 5),
        ),
    ],
)
def test_a_convolution_in_another_form_is_that_of_torch(form, args, settings, shape, forms) -> None:
    ours, theirs = pair(*args, **settings)
    x = torch.randn(*shape)
    a, b = ours(x), theirs(x)
    assert forms == [form]
    assert a.shape == b.shape
    assert (a - b).abs().max() <= 1e-5 * b.abs().max()
    # input gradient, parameter gradients and the parameter gradients of an input gradient, in float64
    found = []
    for layer in (ours.double(), theirs.double()):
        z = x.double().requires_grad_()
        y = layer(z).tanh().square().sum()
        first = torch.autograd.grad(y, [z, *layer.parameters()], create_graph=True)
        second = torch.autograd.grad(first[0].square().sum(), [z, *layer.parameters()])
        found.append([*first, *second])
    for mine, theirs_ in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs_, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("args", "settings", "shape"),
    [
        ((5, 4, 3), {}, (1, 5, 4, 4, 4)),  # many channels: the direct form is faster
        ((2, 4, (1, 3, 3)), {}, (1, 2, 4, 4, 4)),  # a kernel of one frame: nothing to stack
        ((2, 4, 2), {"dilation": 2}, (1, 2, 4, 4, 4)),
        ((4, 4, 2), {"groups": 2}, (1, 4, 4, 4, 4)),
        ((2, 4, 3), {"padding": "same"}, (1, 2, 4, 4, 4)),
        ((2, 4, 3), {}, (2, 4, 4, 4)),  # one event without a batch
    ],
)
def test_other_convolutions_take_the_form_of_torch(args, settings, shape, forms) -> None:
    ours, theirs = pair(*args, **settings)
    x = torch.randn(*shape)
    assert torch.equal(ours(x), theirs(x))
    assert not forms


def test_other_devices_take_the_form_of_torch() -> None:
    x, weight = torch.empty(1, 1, 4, 4, 4, device="meta"), torch.empty(2, 1, 3, 3, 3, device="meta")
    assert form_of(x, weight, (1, 1, 1), (0, 0, 0)) == "direct"
    assert form_of(torch.empty(1, 1, 4, 4, 4), torch.empty(2, 1, 3, 3, 3), (1, 1, 1), (0, 0, 0)) == "folded"
