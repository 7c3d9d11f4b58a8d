"""Data sets and metrics of translation between two domains whose map is known."""

from __future__ import annotations

import pytest
import torch

from ebmsuite.errors import UserError
from ebmsuite.methods.cycle_cooperative import CycleCooperative
from ebmsuite.plugins.testing import rng
from ebmsuite_toy.data import Points
from ebmsuite_toy.densities import Moved, constellation
from ebmsuite_toy.translation import Translation


def test_the_metric_of_the_known_map_is_zero() -> None:
    density = Moved(constellation(), angle=40, bend=0.2, shift=(1.0, -1.0))

    class Known(CycleCooperative):
        def __init__(self) -> None:
            pass

        def translate(self, x, rng, to="b", revise=True):
            return density.map(x.double()).float() if to == "b" else x

    domains = {"a": constellation(), "b": density}
    of = {k: {s: Points(d, 800, s) for s in ("train", "test")} for k, d in domains.items()}

    class Model:
        trainer, device = Known(), torch.device("cpu")
        streams = of

        def describe(self) -> dict[str, object]:
            return {}

    scores = Translation()(Model(), {}, rng(), 800)  # type: ignore[arg-type]
    assert scores["map"].value < 1e-6
    assert scores["map"].protocol["guess"] > 3
    assert scores["sliced"].value < 2 * scores["sliced"].protocol["floor"]
    Model.trainer = None  # type: ignore[assignment]
    with pytest.raises(UserError, match="does not translate"):
        Translation()(Model(), {}, rng(), 800)  # type: ignore[arg-type]


def test_a_moved_density_is_that_of_its_draws() -> None:
    density = Moved(constellation(sd=0.7), angle=70, scale=0.5, bend=0.3, shift=(1.0, 2.0))
    side = torch.linspace(-6, 9, 500, dtype=torch.float64)
    x = torch.cartesian_prod(side, side)
    p = density.log_prob(x).exp() * (side[1] - side[0]) ** 2
    assert float(p.sum()) == pytest.approx(1, abs=1e-4)
    drawn = density.sample(40_000, rng())
    assert torch.allclose((p[:, None] * x).sum(0), drawn.double().mean(0), atol=0.03)
    assert torch.allclose((p[:, None] * x.square()).sum(0), drawn.double().square().mean(0), atol=0.1)


def test_domains_of_the_same_seed_hold_no_pairs() -> None:
    a, b = Points(constellation(), 2000), Points(Moved(constellation(), angle=30), 2000)
    nearest = torch.cdist(b.density.map(a.x.double()).float(), b.x).min(1).values
    assert float(nearest.median()) > 0.01
