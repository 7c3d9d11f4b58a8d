"""The nets on pictures: sizes, gradients, rows, precision, spectral norm, copies."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from ebmsuite.density import Gaussian, Uniform
from ebmsuite.energy import NoiseConditional, Tilted
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.nets.convnet import ConditionScale
from ebmsuite.space import TIME_EMBEDDING, Space
from ebmsuite_image.energies.convnet import convnet, convnet_classes, convnet_levels
from ebmsuite_image.energies.nonlocal_net import NonLocal, nonlocal_net
from ebmsuite_image.energies.resnet import NormedConv, resnet, resnet_levels

Make = Callable[..., Tilted]
NETS: list[tuple[Make, dict[str, object]]] = [
    (convnet, {"width": 4}),
    (nonlocal_net, {"width": 4}),
    (resnet, {"width": 4, "blocks": (1, 2)}),
]
each_net = pytest.mark.parametrize(("make", "settings"), NETS, ids=["convnet", "nonlocal", "resnet"])


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def wake(net: nn.Module) -> None:
    """Give the attention something to do: its last map starts at zero."""
    for module in net.modules():
        if isinstance(module, NonLocal):
            nn.init.normal_(module.out.weight)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("width", "parameters", "published"),
    [(32, 693_569, "0.69"), (64, 2_763_393, "2.76"), (128, 11_031_809, "11.03")],
)
def test_convnet_has_the_published_number_of_parameters(width: int, parameters: int, published: str) -> None:
    assert count(convnet(Space((3, 32, 32)), width)) == parameters
    assert f"{parameters / 1e6:.2f}" == published


def test_convnet_classes_is_the_same_net_with_an_output_a_class() -> None:
    event, x = Space((1, 28, 28)), torch.randn(5, 1, 28, 28)
    energy = convnet_classes(event, Space((), kind="label", classes=7), width=4)
    assert count(energy) - count(convnet(event, 4)) == 6 * (32 * 9 + 1)
    assert energy.logits(x).shape == (5, 7)
    torch.testing.assert_close(energy(x), -energy.logits(x).logsumexp(1))
    with pytest.raises(RecipeError, match=r"image/convnet-classes: .* no labels"):
        convnet_classes(event, None)


def test_nonlocal_and_resnet_have_the_sizes_of_their_descriptions() -> None:
    n, side = 32, 4
    convolutions = 3 * n * 9 + n + n * 2 * n * 9 + 2 * n + 2 * n * 4 * n * 9 + 4 * n
    attention = sum(3 * (c * c // 2 + c // 2) + c // 2 * c + c for c in (n, 2 * n))
    hidden = 4 * n * side * side * 8 * n + 8 * n + 8 * n + 1
    assert count(nonlocal_net(Space((3, 32, 32)))) == convolutions + attention + hidden
    large = resnet(Space((3, 32, 32)))
    convs = [m.conv for m in large.modules() if isinstance(m, NormedConv)]
    shapes = [tuple(c.weight.shape[:2]) for c in convs]
    blocks = [(128, 128)] * 6 + [(256, 128), (256, 256)] + [(256, 256)] * 4 + [(512, 256), (512, 512)]
    assert sorted(shapes) == sorted([(128, 3), *blocks, *[(512, 512)] * 4, (256, 128), (512, 256)])


@each_net
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 64, 64), (1, 20, 32)])
def test_energies_are_one_number_a_picture(make: Make, settings: dict[str, object], shape: tuple[int, ...]) -> None:
    energy = make(Space(shape), **settings)
    values = energy(torch.rand(3, *shape))
    assert values.shape == (3,)
    assert values.dtype == torch.float32
    assert values.isfinite().all()


@each_net
def test_references(make: Make, settings: dict[str, object]) -> None:
    event = Space((1, 16, 16))
    assert isinstance(make(event, **settings).reference, Uniform)
    tilted = make(event, **settings, reference_sd=0.5).eval()
    assert isinstance(tilted.reference, Gaussian)
    x = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(tilted(x), 2 * x.square().sum((1, 2, 3)) - tilted.net(x))


@each_net
def test_gradients_agree_with_finite_differences(make: Make, settings: dict[str, object]) -> None:
    energy = make(Space((1, 16, 16)), **settings, reference_sd=1.0)
    wake(energy)
    energy.double().eval()
    x = torch.randn(2, 1, 16, 16, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(energy(x.requires_grad_()).sum(), x)
    with torch.no_grad():
        for i in torch.randperm(x.numel())[:20].tolist():
            step = torch.zeros_like(x)
            step.view(-1)[i] = 1e-6
            slope = (energy(x + step) - energy(x - step)).sum() / 2e-6
            torch.testing.assert_close(gradient.view(-1)[i], slope, rtol=1e-5, atol=1e-7)


@each_net
def test_second_derivatives(make: Make, settings: dict[str, object]) -> None:
    # smooth, so that there is a second derivative to check: gradients through chains need it
    energy = make(Space((1, 16, 16)), **settings, activation="silu")
    wake(energy)
    energy.double().eval()
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(energy, (x,), fast_mode=True)
    (gradient,) = torch.autograd.grad(energy(x).sum(), x, create_graph=True)
    wanted = [p for p in energy.parameters() if p.ndim > 1]
    mixed = torch.autograd.grad(gradient.square().sum(), wanted)
    assert all(m.isfinite().all() for m in mixed)
    assert all(m.abs().sum() > 0 for m in mixed)


@each_net
def test_rows_are_independent(make: Make, settings: dict[str, object]) -> None:
    energy = make(Space((1, 16, 16)), **settings)
    wake(energy)
    energy.double().eval()
    x = torch.rand(5, 1, 16, 16, dtype=torch.float64)
    together, order = energy(x), torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(energy(x[order]), together[order])
    torch.testing.assert_close(torch.cat([energy(row[None]) for row in x]), together)


@each_net
def test_the_last_sum_is_in_full_precision_under_autocast(make: Make, settings: dict[str, object]) -> None:
    energy = make(Space((1, 16, 16)), **settings).eval()
    with torch.no_grad():
        energy.net[-1].linear.bias += 1000.0  # bfloat16 numbers are 4 apart there
    x = torch.rand(8, 1, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        f = energy.net(x)
    assert f.dtype == torch.float32
    assert (f - energy.net(x)).abs().max() < 0.5
    assert f.unique().numel() > 1


@each_net
def test_copies_and_saved_weights_are_the_same_net(make: Make, settings: dict[str, object]) -> None:
    event = Space((1, 16, 16))
    energy = make(event, **settings)
    x = torch.rand(2, 1, 16, 16)
    optimiser = torch.optim.SGD(energy.parameters(), 0.1)
    energy(x).sum().backward()
    optimiser.step()
    energy.eval()
    copied = copy.deepcopy(energy)
    other = make(event, **settings).eval()
    other.load_state_dict(energy.state_dict())
    value = energy(x)
    torch.testing.assert_close(copied(x), value, rtol=0, atol=0)
    torch.testing.assert_close(other(x), value, rtol=0, atol=0)
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.add_(1.0)
    torch.testing.assert_close(energy(x), value, rtol=0, atol=0)


@pytest.mark.slow
def test_convolutions_of_the_resnet_have_norm_one_and_keep_it() -> None:
    energy = resnet(Space((1, 16, 16)), width=8, blocks=(1, 1))
    convs = [m.conv for m in energy.modules() if isinstance(m, NormedConv)]
    assert len(convs) == 6
    x = torch.rand(2, 1, 16, 16)
    with torch.no_grad():
        for conv in convs:
            conv.parametrizations.weight.original.normal_(std=3.0)  # as far as learning could take it
        for _ in range(1000):
            energy(x)  # train mode: a power iteration each
    for conv in convs:
        largest = torch.linalg.svdvals(conv.eval().weight.detach().flatten(1))[0]
        torch.testing.assert_close(largest, torch.tensor(1.0), rtol=1e-3, atol=0)


def test_chains_in_eval_mode_leave_the_estimates_alone() -> None:
    energy = resnet(Space((1, 16, 16)), width=4, blocks=(1,)).eval()
    before = {k: v.clone() for k, v in energy.named_buffers()}
    assert before
    energy(torch.rand(2, 1, 16, 16))
    for name, buffer in energy.named_buffers():
        assert torch.equal(buffer, before[name])


def test_attention_is_the_formula_and_starts_as_the_identity() -> None:
    block = NonLocal(4).double()
    h = torch.randn(2, 4, 6, 4, dtype=torch.float64)
    torch.testing.assert_close(block(h), h)
    wake(block)
    theta, phi, g = block.query(h), block.key(h), block.value(h)
    assert phi.shape == (2, 2, 3, 2)
    b, i, j = 1, 5, 3
    keys, values = phi[b].flatten(1).T, g[b].flatten(1).T
    weights = torch.stack([theta[b, :, i, j] @ key for key in keys]).softmax(0)
    y = sum(w * value for w, value in zip(weights, values, strict=True))
    expected = h[b, :, i, j] + block.out.weight[:, :, 0, 0] @ y
    torch.testing.assert_close(block(h)[b, :, i, j], expected)


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (convnet, (10,), "works on pictures"),
        (convnet, (1, 1, 64), "at least 2x2"),
        (nonlocal_net, (1, 6, 6), "at least 8x8, got 6x6"),
        (resnet, (3, 4, 4), "at least 8x8"),
    ],
)
def test_events_that_do_not_fit(make: Make, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make(Space(shape))


# -- conditions --------------------------------------------------------------------------------------------------------


def awake(net: nn.Module) -> nn.Module:
    """The net with maps of the condition that are not zero, as they are at the start."""
    for module in net.modules():
        if isinstance(module, ConditionScale):
            nn.init.normal_(module.linear.weight)
    return net.eval()


@pytest.mark.parametrize("make", [convnet, resnet], ids=["convnet", "resnet"])
def test_a_class_and_a_noise_level_change_the_energy(make: Make) -> None:
    """Each row has its own condition; before learning it makes no difference."""
    event, labels = Space((1, 16, 16)), Space((), kind="label", classes=3)
    small = {"width": 4} if make is convnet else {"width": 4, "blocks": (1, 1)}
    energy = make(event, **small, condition=(TIME_EMBEDDING, labels)).eval()
    x, time, classes = torch.randn(1, 1, 16, 16).expand(4, -1, -1, -1), torch.rand(4, 8), torch.tensor([0, 1, 2, 2])
    time[3] = time[2]
    torch.testing.assert_close(energy(x, (time, classes)), energy(x[:1], (time[:1], classes[:1])).expand(4))
    awake(energy)
    values = energy(x, (time, classes)).tolist()
    assert len(set(values[:3])) == 3
    assert values[2] == pytest.approx(values[3], rel=1e-5)
    torch.testing.assert_close(energy(x[:2], (time[:2], classes[:2])), energy(x, (time, classes))[:2])
    with pytest.raises(UserError, match="this net is conditional"):
        energy(x, time)
    plain = make(event, **small)
    assert count(energy) - count(plain) == sum(
        p.numel() for m in energy.modules() if isinstance(m, ConditionScale) for p in m.parameters()
    )


@pytest.mark.parametrize(
    ("make", "small"), [(convnet_levels, {"width": 4}), (resnet_levels, {"width": 4, "blocks": (1, 1)})],
    ids=["convnet", "resnet"],
)  # fmt: skip
def test_nets_that_are_told_the_noise(make: Callable[..., NoiseConditional], small: dict[str, object]) -> None:
    energy = make(Space((1, 16, 16)), 0.1, 2.0, sd=0.5, **small)
    awake(energy)
    x = torch.randn(1, 1, 16, 16).expand(2, -1, -1, -1)
    first, second = energy(x, torch.tensor([0.1, 1.0])).tolist()
    assert first != second
    assert energy(x).tolist() == pytest.approx([first] * 2, rel=1e-5)
    with pytest.raises(RecipeError, match=r"image/\w+-levels.low: .* 0 < low < high"):
        make(Space((1, 16, 16)), 2.0, 0.1, **small)
    with pytest.raises(RecipeError, match=r"image/\w+-levels.sd: .* above 0"):
        make(Space((1, 16, 16)), 0.1, 2.0, sd=0.0, **small)
