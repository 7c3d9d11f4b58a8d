"""Conditions as trees: their spaces, their batches, their numbers for a net, their storage."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from ebmsuite.dataset import Dataset, InMemory, Stream, first, rows
from ebmsuite.density import Gaussian
from ebmsuite.errors import DataError, PluginError, RecipeError, UserError
from ebmsuite.experiment import provenance
from ebmsuite.experiment.checks import conditions_are_sound
from ebmsuite.nets.conditioning import numbers_of, width_of
from ebmsuite.nets.flows import Flow
from ebmsuite.nets.mlp import mlp_energy, mlp_generator
from ebmsuite.plugins.testing import rng
from ebmsuite.sampling import Buffer
from ebmsuite.space import Batch, ConditionSpace, Space, condition_misfit, space_problem
from ebmsuite.tree import Tree, flatten, structure, tree_map, unflatten
from ebmsuite.values import plain

SPACE: ConditionSpace = {
    "past": Space((3, 2), mask="seen"),
    "seen": Space((3,), kind="mask"),
    "more": (Space((), kind="label", classes=3, names=("a", "b", "c")), Space((), optional=True)),
}


def condition(n: int = 4, optional: bool = False) -> dict[str, Any]:
    seen = torch.tensor([True, False, True]).expand(n, 3)
    label = torch.arange(n) % 3
    return {
        "past": torch.arange(6.0 * n).view(n, 3, 2),
        "seen": seen,
        "more": (label, torch.ones(n) if optional else None),
    }


# -- spaces ----------------------------------------------------------------------------------------------------------


def test_a_condition_of_its_space_fits() -> None:
    assert condition_misfit(SPACE, condition(), 4) == ""
    assert condition_misfit(SPACE, condition(optional=True), 4) == ""
    assert condition_misfit(None, None, 4) == ""
    assert condition_misfit((None, Space((2,))), (None, torch.zeros(4, 2)), 4) == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (condition(4) | {"past": torch.zeros(4, 2)}, "condition.past: the shape is [4, 2], it must be [rows, 3, 2]"),
        (condition(3), "condition.past: there are 3 rows for 4 events"),
        (
            condition() | {"more": (torch.zeros(4), None)},
            "condition.more.0: the values are float32, they must be whole",
        ),
        (condition() | {"more": (torch.tensor([0, 1, 3, 0]), None)}, "condition.more.0: the values are 0 to 3"),
        (condition() | {"more": torch.zeros(4)}, "condition.more: is tensor, it must be a tuple of 2"),
        (condition() | {"past": None}, "condition.past: is missing"),
        (condition() | {"past": [1.0]}, "condition.past: must be a tensor, not list"),
        (
            condition() | {"other": None},
            "condition: is {past: tensor, seen: tensor, more: (tensor, None), other: None}",
        ),
        (torch.zeros(4), "condition: is tensor, it must be a dict with the keys past, seen, more"),
        (None, "condition: is None, it must be a dict"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(given: Any, said: str) -> None:
    assert condition_misfit(SPACE, given, 4).startswith(said)


def test_a_condition_where_there_is_none() -> None:
    assert condition_misfit(None, torch.zeros(4), 4) == "condition: must be None, these events have no such condition"


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"x": Space((3,), mask="m")}, 'condition.x: its mask "m" must be a leaf of the same dict'),
        ({"x": Space((3,), mask="m"), "m": Space((3,))}, 'condition.x: its mask "m" must be'),
        ({"x": Space((3, 2), mask="m"), "m": Space((2,), kind="mask")}, "condition.x: the shape (3, 2) does not begin"),
        ((Space((3,), mask="m"),), 'condition.0: its mask "m" must be'),
        ({"a": {"x.y": Space((3,))}}, 'condition.a.x.y: a key must be a text without "."'),
        (Space((), kind="label", classes=3, names=("a", "b")), "condition: there are 2 names for 3 classes"),
    ],
)
def test_a_space_that_contradicts_itself_is_refused(space: ConditionSpace, said: str) -> None:
    assert space_problem(space).startswith(said)
    dataset = Dataset()
    dataset.condition = space
    with pytest.raises(PluginError, match=r"^data\.data: Dataset\.condition"):
        conditions_are_sound({"data": dataset})


# -- numbers for nets --------------------------------------------------------------------------------------------------


def test_the_numbers_of_a_condition() -> None:
    x, given = torch.zeros(2, 5, dtype=torch.float64), condition(2)
    assert width_of(SPACE) == 6 + 3 + 3 + 2
    one, two = numbers_of(given, SPACE, x).tolist()
    assert one == [0, 1, 0, 0, 4, 5, 1, 0, 1, 1, 0, 0, 0, 0]
    assert two == [6, 7, 0, 0, 10, 11, 1, 0, 1, 0, 1, 0, 0, 0]
    assert numbers_of(condition(2, optional=True), SPACE, x)[:, -2:].tolist() == [[1, 1], [1, 1]]
    assert numbers_of(given, SPACE, x).dtype == torch.float64
    given["past"][:, 1] = torch.nan  # where its mask is False
    assert torch.equal(numbers_of(given, SPACE, x)[0], torch.tensor(one).double())


def test_the_order_of_keys_does_not_matter_and_one_tensor_is_as_it_was() -> None:
    x, given = torch.randn(4, 2), condition()
    backwards = dict(reversed(given.items()))
    assert torch.equal(numbers_of(given, SPACE, x), numbers_of(backwards, SPACE, x))
    label = torch.tensor([2, 0, 1, 1])
    assert torch.equal(
        numbers_of(label, Space((), kind="label", classes=3), x), torch.nn.functional.one_hot(label, 3).float()
    )
    assert torch.equal(numbers_of(x, Space((2,)), x), x)


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"a": {"past": Space((None, 2))}}, r"condition\.a\.past: its length varies"),
        ((Space((2,)), Space((None,), kind="tokens", classes=5)), r"condition\.1: its length varies"),
        ({"kind": Space((), kind="label")}, r"condition\.kind: the number of classes is unknown"),
    ],
)
def test_what_has_no_fixed_numbers_is_refused(space: ConditionSpace, said: str) -> None:
    for make in (
        lambda: mlp_energy(Space((2,)), condition=space),
        lambda: mlp_generator(Space((2,)), Space((2,)), condition=space),
        lambda: Flow(Space((2,)), condition=space),
    ):
        with pytest.raises(RecipeError, match=said):
            make()


def test_a_net_names_the_leaf_that_it_lacks() -> None:
    energy = mlp_energy(Space((2,)), 8, 1, condition=SPACE)
    assert energy(torch.zeros(4, 2), condition()).shape == (4,)
    with pytest.raises(UserError, match=r"the condition is missing \(condition\.more\.0\)"):
        energy(torch.zeros(4, 2), condition() | {"more": (None, None)})
    with pytest.raises(UserError, match=r"the condition must have the leaves past, seen, more, it is tensor"):
        energy(torch.zeros(4, 2), torch.zeros(4))


def test_a_flow_of_a_tree_is_a_density() -> None:
    flow = Flow(Space((2,)), transforms=1, width=8, depth=1, condition=SPACE)
    given = condition()
    x = flow.sample(4, rng(), given)
    assert torch.isfinite(flow.log_prob(x, given)).all()
    moved = given | {"past": given["past"] + 1}
    assert not torch.allclose(flow.log_prob(x, given), flow.log_prob(x, moved))


# -- trees -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tree", [condition(), (torch.ones(2), None), {"a": None, "b": (None, torch.ones(1), None)}])
def test_a_tree_comes_back_from_its_leaves_with_every_none(tree: Tree) -> None:
    back = unflatten(flatten(tree, "c", none=torch.zeros(4, 0)), "c")
    assert structure(back) == structure(tree)
    for leaf, other in zip(flatten(back).values(), flatten(tree).values(), strict=True):
        assert torch.equal(leaf, other)


def test_trees_of_different_structure_are_not_mapped_together() -> None:
    with pytest.raises(DataError, match=r"\{a: None\}, those of others \{a: tensor\}.*use a mask"):
        tree_map(torch.add, {"a": None}, {"a": torch.ones(1)})
    with pytest.raises(DataError, match=r"\(tensor, tensor\), those of others \(tensor\)"):
        tree_map(torch.add, (torch.ones(1), torch.ones(1)), (torch.ones(1),))
    with pytest.raises(DataError, match="tensor, those of others None"):
        tree_map(torch.add, torch.ones(1), None)


def test_a_buffer_keeps_the_structure_of_its_conditions_over_a_resume() -> None:
    def buffer() -> Buffer:
        return Buffer(Gaussian(Space((2,))), size=8, fresh=0.5)

    one, batch = buffer(), Batch(torch.zeros(4, 2), condition())
    start = one.start(4, rng(), batch, batch.condition)
    one.keep(start, start.x + 1)
    two = buffer()
    two.restore({k: v.clone() for k, v in one.state().items()}, torch.device("cpu"))
    again, other = (b.start(4, rng(1), batch, batch.condition) for b in (one, two))
    assert flatten(again._asdict()).keys() == flatten(other._asdict()).keys()
    for a, b in zip(flatten(again._asdict()).values(), flatten(other._asdict()).values(), strict=True):
        assert torch.equal(a, b)
    assert other.condition["more"][1] is None
    with pytest.raises(DataError, match="rows that are used together must have the same leaves"):
        two.start(4, rng(), batch, condition(optional=True))


# -- data sets and batches -------------------------------------------------------------------------------------------


def data(n: int = 10) -> InMemory:
    x = torch.arange(2.0 * n).view(n, 2)
    meta = {"name": np.array([f"row {i}" for i in range(n)]), "frame": np.arange(n)}
    return InMemory(x, condition(n), condition_space=SPACE, view={"double": 2 * x}, truth=(x + 1,), meta=meta)


def test_a_condition_in_memory_says_its_spaces() -> None:
    given = {"past": torch.zeros(3, 5, 2), "more": (torch.tensor([0, 1, 2]), torch.ones(3, 5).bool(), None)}
    space = InMemory(torch.zeros(3, 1), given).condition
    assert space == {"past": Space((5, 2)), "more": (Space((), kind="label"), Space((5,), kind="mask"), None)}
    assert InMemory(torch.zeros(3, 1), torch.tensor([0, 1, 1]), classes=2).condition == Space((), None, "label", 2)
    assert data().condition == SPACE


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"condition": condition(9), "condition_space": SPACE}, r"condition\.past: there are 9 rows for 10 events"),
        (
            {"condition": condition(10), "condition_space": {**SPACE, "x": Space((1,))}},
            "it must be a dict with the keys",
        ),
        ({"condition": torch.tensor([0, 2] * 5), "classes": 2}, "condition: the values are 0 to 2"),
        ({"condition": torch.zeros(10, 3), "condition_space": Space((3,), mask="m")}, 'its mask "m" must be'),
        ({"meta": {"name": np.zeros(9)}}, r"meta\.name: 9 rows for 10 events"),
        ({"truth": {"z": torch.zeros(11)}}, r"truth\.z: 11 rows for 10 events"),
        ({"view": torch.zeros(1, 2)}, "view: 1 rows for 10 events"),
    ],
)
def test_what_does_not_belong_to_the_events_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=said):
        InMemory(torch.zeros(10, 2), **settings)


def same_rows(batch: Batch, numbers: list[int]) -> None:
    index = torch.tensor(numbers)
    assert batch.index.tolist() == numbers
    assert torch.equal(batch.view["double"], 2 * batch.x)
    assert torch.equal(batch.truth[0], batch.x + 1)
    assert torch.equal(batch.x, data().x[index])
    assert torch.equal(batch.condition["past"], condition(10)["past"][index])
    assert batch.condition["more"][1] is None
    assert batch.meta["name"].tolist() == [f"row {i}" for i in numbers]
    assert batch.meta["frame"].tolist() == numbers


def test_every_use_of_a_batch_keeps_what_goes_with_a_row() -> None:
    dataset = data()
    batch = first(dataset)
    same_rows(batch, list(range(10)))
    same_rows(batch.take(slice(3, 5)), [3, 4])
    for part, numbers in zip(batch.parts(4), ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9]), strict=True):
        same_rows(part, numbers)
    same_rows(batch.take(slice(2)).repeat_interleave(3), [0, 0, 0, 1, 1, 1])
    for part, numbers in zip(rows(dataset, 7, 4), ([0, 1, 2, 3], [4, 5, 6]), strict=True):
        same_rows(part, numbers)
    same_rows(Batch.cat(list(rows(dataset, 7, 4))), list(range(7)))
    stream = Stream(dataset, 4, seed=1)
    streamed = stream.batch(0)
    stream.close()
    same_rows(streamed, streamed.index.tolist())
    moved = batch.to("meta")  # a device without memory
    assert moved.truth[0].device.type == moved.condition["past"].device.type == "meta"
    assert moved.meta["name"].tolist() == batch.meta["name"].tolist()


def test_a_digest_covers_the_condition_and_not_meta() -> None:
    one, two, three = data(), data(), data()
    two.meta = {"name": np.array(["other"] * 10)}
    three.labels["more"][0][9] = 1
    assert one.digest() == two.digest() != three.digest()


# -- data.json -------------------------------------------------------------------------------------------------------


def stored(space: ConditionSpace) -> Any:
    return json.loads(json.dumps(plain(space)))


@pytest.mark.parametrize(
    "space", [None, Space((2,)), SPACE, (Space((None,)), None), {"kind": Space((), kind="mask"), "shape": SPACE}]
)
def test_the_space_of_a_condition_is_stored_and_read(space: ConditionSpace) -> None:
    assert provenance.space_of(stored(space)) == space


def test_a_space_stored_before_there_were_trees_is_read_and_is_the_same() -> None:
    old = {"shape": [], "range": None, "kind": "label", "classes": 10, "longest": None}
    assert provenance.space_of(old) == Space((), kind="label", classes=10)
    now = stored(Space((), kind="label", classes=10, names=tuple("0123456789")))
    assert compared(old, now) == []
    assert compared(old, stored(Space((), kind="label", classes=9))) == ["condition classes is 9, the run has 10"]


def compared(old: Any, new: Any) -> list[str]:
    described = [
        {"event": {"shape": [2]}, "condition": c, "codec": None, "examples": 3, "streams": {}} for c in (old, new)
    ]
    return provenance.differences(described[0] | {"streams": {"data": {}}}, described[1])[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seen": Space((4,), kind="mask")}, ["condition.seen shape entry 1 is 4, the run has 3"]),
        ({"extra": Space(())}, ["condition.extra is "]),
        ({"past": Space((3, 2))}, ['condition.past mask is null, the run has "seen"']),
        ({"more": (SPACE["more"][0],)}, ["condition.more.1 is null, the run has "]),  # type: ignore[index]
    ],
)
def test_a_changed_tree_is_described_by_its_paths(change: dict[str, ConditionSpace], said: list[str]) -> None:
    found = compared(stored(SPACE), stored({**SPACE, **change}))  # type: ignore[dict-item]
    assert [f[: len(s)] for f, s in zip(found, said, strict=True)] == said
    assert compared(stored(SPACE), stored(SPACE)) == []


def test_a_tree_in_words() -> None:
    assert provenance.condition_lines(stored(SPACE)) == [
        "condition.past: real [3, 2], where seen is true",
        "condition.seen: mask [3]",
        "condition.more.0: label, 3 classes (a, b, c)",
        "condition.more.1: real, optional",
    ]
    assert provenance.condition_lines(None) == []
