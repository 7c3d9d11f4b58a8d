"""Translation between two domains of which no pairs are seen."""

from __future__ import annotations

import pytest
import torch

from ebmsuite.builtin.examples import CYCLE_EXAMPLE
from ebmsuite.errors import UserError
from ebmsuite.experiment.train import train
from ebmsuite.learning import Optimiser, Players
from ebmsuite.learning.optimisers import adam, sgd
from ebmsuite.methods.cycle_cooperative import CycleCooperative
from ebmsuite.model import load
from ebmsuite.nets.mlp import Quadratic, mlp_generator
from ebmsuite.plugins.testing import rng, watched_by
from ebmsuite.sampling import Langevin, Phase, Proposal
from ebmsuite.space import Batch, Space

LINE, NOTHING = Space((1,)), Space((0,))


def made(steps: int, optimiser: Optimiser, cycle: float = 10.0, step: float = 0.3) -> CycleCooperative:
    torch.manual_seed(0)
    nets: dict[str, torch.nn.Module] = {f"energy_{k}": Quadratic(LINE) for k in "ab"}
    nets |= {f"to_{k}": mlp_generator(LINE, NOTHING, 16, 1, condition=LINE) for k in "ab"}
    players = Players(nets, dict.fromkeys(nets, optimiser))
    phases = {
        k: Phase(e, Langevin(step_size=step), Proposal(), steps) for k, e in CycleCooperative.energies(players).items()
    }
    return CycleCooperative(players, phases, cycle=cycle)


def batches(n: int, source: torch.Generator) -> dict[str, Batch]:
    """a of N(0, 0.5^2), b of N(2, 1)."""
    a, b = torch.randn(2, n, 1, generator=source)
    return {"a": Batch(0.5 * a), "b": Batch(2 + b)}


@pytest.mark.parametrize(("steps", "cycle"), [(0, 10.0), (4, 0.0)])
def test_translators_learn_the_way_back_and_what_chains_revised(steps: int, cycle: float) -> None:
    """Their gradient against finite differences: of the cycle alone when chains do not move, of the teaching alone
    without its weight.
    """
    trainer, data = made(steps, Optimiser(sgd, lr=1.0), cycle), batches(64, rng(1))
    revised = {}
    for k, phase in trainer.phases.items():
        draw = phase.draw
        phase.draw = lambda *a, k=k, draw=draw, **o: revised.setdefault(k, draw(*a, **o))  # type: ignore[method-assign]

    def to(k: str, x: torch.Tensor) -> torch.Tensor:
        return trainer.players[f"to_{k}"](x.new_zeros(len(x), 0), x)

    def loss() -> float:
        a, b = data["a"].x, data["b"].x
        if steps:
            return float(sum((revised[k].x - to(k, x)).square().mean() for k, x in (("b", a), ("a", b))))
        return cycle * float((to("a", to("b", a)) - a).abs().mean() + (to("b", to("a", b)) - b).abs().mean())

    weights = {k: trainer.players[f"to_{k}"].net.net[0][0].weight for k in "ab"}
    before = {k: w.detach().clone() for k, w in weights.items()}
    everything = {k: {n: v.clone() for n, v in trainer.players[k].state_dict().items()} for k in trainer.players}
    trainer.step(0, data, rng())
    moved = {k: before[k] - w.detach() for k, w in weights.items()}
    for k in "ab":  # and each energy the difference of statistics
        a = trainer.players[f"energy_{k}"].a.detach()
        assert torch.allclose(a, revised[k].x.mean(0) - data[k].x.mean(0), atol=1e-5)
    for k in trainer.players:
        trainer.players[k].double().load_state_dict(everything[k])
    data = {k: Batch(v.x.double()) for k, v in data.items()}
    for k, w in weights.items():
        for unit in (0, 3):
            ends = []
            for sign in (1, -1):
                with torch.no_grad():
                    w[unit, 0] += sign * 1e-4
                    ends.append(loss())
                    w[unit, 0] -= sign * 1e-4
            assert (ends[0] - ends[1]) / 2e-4 == pytest.approx(moved[k][unit, 0].item(), rel=1e-2, abs=1e-4)


@pytest.mark.slow
def test_two_normals_are_translated_into_one_another() -> None:
    trainer, source = made(10, Optimiser(lambda p: adam(p, betas=(0.5, 0.999)), lr=0.02), step=0.3), rng(2)
    for t in range(300):
        trainer.step(t, batches(128, source), source)
    data = batches(4000, rng(3))
    for to, of, mean, sd in (("b", "a", 2, 1.0), ("a", "b", 0, 0.5)):
        x = trainer.translate(data[of].x, rng(), to)
        assert float(x.mean()) == pytest.approx(mean, abs=0.25)
        assert float(x.std()) == pytest.approx(sd, rel=0.25)
    back = trainer.translate(trainer.translate(data["a"].x, rng(), revise=False), rng(), "a", revise=False)
    assert (back - data["a"].x).square().mean().sqrt() < 0.2 * 0.5


def test_samples_are_translations_of_what_is_given_or_of_what_was_seen(tmp_path) -> None:
    model = load(train(CYCLE_EXAMPLE, watched_by(), "phases.b.steps=0", out=tmp_path / "run"))
    given = torch.randn(3, 2)
    expected = model.players["to_b"](torch.zeros(3, 0), given)
    assert torch.allclose(model.sample(3, condition=given), expected)
    assert model.trainer.seen.shape == (16, 2)
    assert torch.equal(model.sample(20)[:4], model.sample(20)[16:])
    with pytest.raises(UserError, match="give the events of domain a to translate"):
        made(1, Optimiser(sgd, lr=1.0)).sample(3, rng())
