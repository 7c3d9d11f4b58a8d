"""What chains keep and where they start: memories with a start, several chains per example, banks, replay memories."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from ebmsuite.density import Density, Gaussian
from ebmsuite.energy import Clamped
from ebmsuite.errors import DataError, MissingData, RecipeError
from ebmsuite.learning import Optimiser, Players
from ebmsuite.learning.optimisers import sgd
from ebmsuite.methods.mle import MaximumLikelihood
from ebmsuite.nets.mlp import Quadratic
from ebmsuite.plugins.testing import rng
from ebmsuite.ranks import Ranks
from ebmsuite.sampling import Bank, Buffer, Chains, Data, Langevin, Memory, Noise, Phase, Proposal, Start, Visible
from ebmsuite.schedule import Schedule
from ebmsuite.space import Batch, Space
from ebmsuite.tree import Tree

EVENT = Space((2,))
CPU = torch.device("cpu")


class Counted(Density):
    """0, 1, 2, ...: the k-th draw is k in both coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = 0
        self.missing = False

    def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
        if self.missing:
            raise MissingData("the run is not there")
        self.drawn += n
        return torch.arange(self.drawn - n, self.drawn).float()[:, None].expand(n, 2).clone()


class Fill(Chains):
    """Starts at the events plus 1, and records which examples it was asked for: a fill of a plugin."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def start(
        self,
        n: int,
        rng: torch.Generator,
        batch: Batch | None = None,
        condition: Tree = None,
        proposal: Start | None = None,
    ) -> Start:
        assert batch is not None
        assert batch.index is not None
        assert n == len(batch) == len(batch.index)
        self.asked += batch.index.tolist()
        return Start(batch.x + 1, condition)


def batch(*index: int) -> Batch:
    i = torch.tensor(index)
    return Batch(10.0 * i[:, None].expand(-1, 2).float(), None, i)


def again(chains: Chains, new: Chains) -> Chains:
    """``new`` in the state of ``chains``, as a resumed run has it."""
    new.restore({k: v.clone() for k, v in chains.state().items()}, CPU)
    return new


# -- memories ---------------------------------------------------------------------------------------------------------


def test_the_start_of_a_memory_is_called_once_per_example_also_after_a_resume() -> None:
    fill = Fill()
    memory: Chains = Memory(examples=6, start=fill)
    first = memory.start(3, rng(), batch(1, 4, 1))  # example 1 twice
    assert sorted(fill.asked) == [1, 4]
    assert first.x[:, 0].tolist() == [11, 41, 11]
    memory.keep(first, first.x + 0.5)
    other = Fill()
    memory = again(memory, Memory(examples=6, start=other))
    second = memory.start(4, rng(), batch(4, 0, 1, 5))
    assert other.asked == [0, 5]
    assert second.x[:, 0].tolist() == [41.5, 1, 11.5, 51]
    memory.keep(second, second.x)
    assert memory.start(2, rng(), batch(5, 0)).x[:, 0].tolist() == [51, 1]
    assert other.asked == [0, 5]


def test_a_start_draws_no_random_numbers_once_all_chains_exist() -> None:
    memory = Memory(examples=2, start=Noise(Gaussian(EVENT)))
    draw = rng()
    memory.keep(memory.start(2, draw, batch(0, 1)), torch.zeros(2, 2))
    state = draw.get_state()
    assert torch.equal(memory.start(2, draw, batch(1, 0)).x, torch.zeros(2, 2))
    assert torch.equal(draw.get_state(), state)


@pytest.mark.parametrize("kind", ["data", "visible", "proposal", "noise"])
def test_any_chains_can_start_a_memory(kind: str) -> None:
    known = torch.tensor([True, False]).expand(2, 2)
    points = batch(3, 1)
    given = Clamped.given(points.x, known)
    starts: Mapping[str, Chains] = {
        "data": Data(), "visible": Visible(), "proposal": Proposal(), "noise": Noise(Counted()),
    }  # fmt: skip
    memory = Memory(examples=4, start=starts[kind])
    x = memory.start(2, rng(), points, given, Start(torch.tensor([[7.0, 8], [9, 10]]))).x
    wanted = {"data": points.x, "visible": points.x, "proposal": torch.tensor([[7.0, 8], [9, 10]])}
    assert sorted(x.tolist()) == sorted(wanted.get(kind, torch.tensor([[0.0, 0], [1, 1]])).tolist())
    if kind in wanted:
        assert torch.equal(x, wanted[kind])


def test_chains_at_examples_start_at_their_density_outside_learning() -> None:
    chains = Data(density=Counted())
    points = batch(3, 1)
    assert torch.equal(chains.start(2, rng(), points).x, points.x)
    assert torch.equal(chains.start(2, rng()).x, Counted().sample(2, rng()))
    with pytest.raises(RecipeError, match="set their density"):
        Data().start(2, rng())


def test_a_memory_keeps_several_chains_per_example() -> None:
    memory = Memory(Gaussian(EVENT), examples=5, chains=3)
    phase = Phase(Quadratic(EVENT), Langevin(step_size=0.1), memory, 2)
    drawn = phase.draw(batch(4, 2), rng())
    assert drawn.x.shape == (6, 2)
    assert drawn.start.slots is not None
    assert drawn.start.slots.tolist() == [12, 13, 14, 6, 7, 8]
    assert len({tuple(row) for row in drawn.x.tolist()}) == 6
    assert torch.equal(drawn.rows(torch.arange(6.0)), torch.tensor([1.0, 4.0]))
    resumed = again(memory, Memory(Gaussian(EVENT), examples=5, chains=3))
    assert torch.equal(resumed.start(3, rng(), batch(2, 2, 2)).x, drawn.x[3:])
    with pytest.raises(DataError, match="the checkpoint has 15 chains, and 5 examples with 2 chains each need 10"):
        again(memory, Memory(Gaussian(EVENT), examples=5, chains=2))


def test_chains_are_held_until_a_step_of_learning() -> None:
    memory = Memory(examples=2, start=Data())
    phase = Phase(Quadratic(EVENT), Langevin(step_size=0.3), memory, Schedule(0, 5, over=1, delay=2))
    points = batch(1, 0)
    for t in range(5):
        phase.set_step(t)
        x = phase.draw(points, rng(t)).x
        assert torch.equal(x, points.x) == (t <= 2)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({}, "give either start"),
        ({"density": Gaussian(EVENT), "start": Data()}, "give either start"),
        ({"density": Gaussian(EVENT), "chains": 0}, "0 chains per example are too few"),
        ({"start": Memory(Gaussian(EVENT), 2, chains=2)}, "must be chains that keep nothing"),
    ],
)
def test_settings_of_a_memory_that_contradict_each_other(settings: dict[str, object], text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        Memory(examples=2, **settings)  # type: ignore[arg-type]


# -- banks ------------------------------------------------------------------------------------------------------------


def test_a_bank_is_drawn_once_and_survives_its_density(caplog: pytest.LogCaptureFixture) -> None:
    density = Counted()
    bank: Chains = Bank(density, size=8)
    starts = torch.cat([bank.start(4, rng(i), batch(0, 1, 2, 3)).x[:, 0] for i in range(20)])
    assert density.drawn == 8
    assert set(starts.tolist()) == set(range(8))
    assert len(set(bank.start(8, rng(), batch(*range(8))).x[:, 0].tolist())) == 8
    assert len(bank.start(11, rng(), batch(*range(11))).x) == 11
    assert bank.start(3, rng()).x[:, 0].tolist() == [8, 9, 10]  # outside learning: new draws
    gone = Counted()
    gone.missing = True
    resumed = again(bank, Bank(gone, size=8))
    assert torch.equal(resumed.start(4, rng(5), batch(0, 1, 2, 3)).x, bank.start(4, rng(5), batch(0, 1, 2, 3)).x)
    assert not caplog.records
    assert len(resumed.start(8, rng()).x) == 8
    assert "the run is not there; these chains start from the draws that the run stored" in caplog.text
    with pytest.raises(MissingData, match="not there"):
        resumed.start(9, rng())
    with pytest.raises(MissingData, match="not there"):
        again(Bank(gone, size=8), Bank(gone, size=8)).start(1, rng())
    with pytest.raises(DataError, match=r"8 chains and the recipe 9 per process"):
        again(bank, Bank(gone, size=9))
    with pytest.raises(RecipeError, match=r"chains\.size: 0 draws"):
        Bank(density, size=0)
    with pytest.raises(RecipeError, match='chains "bank": give a density'):
        Bank(size=8).start(3, rng())


def test_draws_of_a_bank_keep_their_condition() -> None:
    class Twice(Density):
        def sample(self, n: int, rng: torch.Generator, condition: Tree = None) -> Tensor:
            return 2.0 * condition[:, None].expand(n, 2)

    bank = Bank(Twice(), size=6, ranks=Ranks())
    c = torch.tensor([0, 1, 2])
    start = bank.start(3, rng(), batch(0, 1, 2), c)
    assert torch.equal(start.x[:, 0], 2.0 * start.condition)
    resumed = again(bank, Bank(Counted(), size=6))
    start = resumed.start(3, rng(1), batch(0, 1, 2), c + 5)
    assert torch.equal(start.x[:, 0], 2.0 * start.condition)


# -- replay memories --------------------------------------------------------------------------------------------------


def test_a_buffer_that_is_filled_first_is_used_only_once_it_is_full() -> None:
    density = Counted()
    memory: Chains = Buffer(density, size=7, fresh=0.0, fill_first=True)
    for turn in range(3):
        start = memory.start(3, rng(), batch(0, 1, 2))
        assert start.x[:, 0].tolist() == [3 * turn, 3 * turn + 1, 3 * turn + 2]
        memory.keep(start, -start.x)
        if turn == 1:
            assert len(memory.state()["x"]) == 6
            memory = again(memory, Buffer(density, size=7, fresh=0.0, fill_first=True))
    # nine ends in seven places: the last two replaced the first two
    assert sorted(-memory.state()["x"][:, 0]) == [2, 3, 4, 5, 6, 7, 8]
    start = memory.start(3, rng(), batch(0, 1, 2))
    assert set(start.x[:, 0].tolist()) <= {-2, -3, -4, -5, -6, -7, -8}
    with pytest.raises(DataError, match="7 chains and the recipe 6"):
        again(memory, Buffer(density, size=6, fill_first=True))


def test_shared_chains_run_with_the_condition_of_the_batch() -> None:
    kept = Buffer(Counted(), size=4, fresh=0.0)
    shared = Buffer(Counted(), size=4, fresh=0.0, share=True)
    for chains in (kept, shared):
        first = chains.start(2, rng(), batch(0, 1), torch.tensor([1, 2]))
        chains.keep(first, first.x)
        second = chains.start(2, rng(), batch(0, 1), torch.tensor([3, 4]))
        assert torch.equal(second.condition, torch.tensor([3, 4])) == chains.share
        chains.keep(second, second.x)
    assert set(shared.state()) == {"x"}
    assert set(kept.state()) == {"x", "condition"}
    resumed = again(shared, Buffer(Counted(), size=4, fresh=0.0, share=True))
    assert resumed.start(2, rng(), batch(0, 1), torch.tensor([5, 6])).condition.tolist() == [5, 6]
    assert shared.continued(2, rng()) is None  # they have no condition of their own


@pytest.mark.parametrize("share", [False, True])
def test_a_filled_first_buffer_has_conditions_as_trees(share: bool) -> None:
    memory: Chains = Buffer(Counted(), size=4, fresh=0.0, fill_first=True, share=share)
    for turn in range(3):
        condition = {"a": torch.full((2,), turn), "b": None}
        start = memory.start(2, rng(turn), batch(0, 1), condition)
        assert start.condition["b"] is None
        memory.keep(start, start.x)
        memory = again(memory, Buffer(Counted(), size=4, fresh=0.0, fill_first=True, share=share))
    assert set(start.condition["a"].tolist()) <= ({2} if share else {0, 1})


def test_maximum_likelihood_averages_over_the_chains_of_an_example() -> None:
    energy = Quadratic(EVENT)
    phase = Phase(energy, Langevin(step_size=0.1), Memory(Gaussian(EVENT), examples=9, chains=3), 2)
    players = Players({"energy": energy}, {"energy": Optimiser(sgd, 1.0)})
    before = energy.a.detach().clone()
    points = batch(4, 2)
    logs = MaximumLikelihood(players, {"negative": phase}).step(0, {"data": points}, rng())
    ends = phase.chains.state()["x"][torch.tensor([12, 13, 14, 6, 7, 8])]
    assert torch.allclose(before - energy.a.detach(), points.x.mean(0) - ends.mean(0), atol=1e-5)
    assert set(logs) >= {"gap", "energy/data", "energy/samples"}
