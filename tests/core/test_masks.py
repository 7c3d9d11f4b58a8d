"""Masks and the data sets that draw them per example and epoch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ebmsuite.constraint import Pool
from ebmsuite.dataset import Dataset, InMemory, NormalSamples, Stream, first
from ebmsuite.errors import RecipeError, UserError
from ebmsuite.masks import Half, Mask, Random, Region, Slices
from ebmsuite.plugins.registry import Registry
from ebmsuite.space import Batch, Space
from ebmsuite.wrapped import Masked, Measured

CLIP = (3, 10, 8, 6)


def known(mask: Mask, shape: tuple[int, ...], n: int = 200, seed: int = 0) -> Tensor:
    seeds = torch.arange(n) + 1000 * seed
    return mask(shape, seeds, Batch(torch.zeros(n, *shape))).expand(n, *shape)


def rows(x: Tensor) -> Tensor:
    return x.flatten(1).double().mean(1)


@pytest.mark.parametrize("shape", [(50,), (4, 12), (1, 8, 8), (2, 4, 4, 4)])
def test_random_hides_a_fraction(shape: tuple[int, ...]) -> None:
    of = known(Random(0.7), shape)
    assert float((~of).double().mean()) == pytest.approx(0.7, abs=0.02)
    assert len(of.flatten(1).unique(dim=0)) == 200  # every example has its own
    assert torch.equal(of, known(Random(0.7), shape))
    fractions = 1 - rows(known(Random((0.2, 0.9)), (40, 50)))
    assert float(fractions.min()) == pytest.approx(0.2, abs=0.05)
    assert float(fractions.max()) == pytest.approx(0.9, abs=0.05)


def test_random_hides_whole_pixels_together() -> None:
    of = known(Random(0.5, together=(0,)), (3, 6, 6))
    assert (of == of[:, :1]).all()
    assert float(of.double().mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("shape", "axes"), [((20,), None), ((3, 16, 16), (1, 2)), ((16, 16, 16), None)])
def test_a_region_is_one_block(shape: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
    of = known(Region(0.25, axes=axes), shape)
    sides = {i: round(shape[i] * 0.25 ** (1 / len(axes or shape))) for i in (axes or range(len(shape)))}
    for hidden in (~of)[:20]:
        places = hidden.nonzero()
        size = 1
        for i, n in enumerate(shape):
            found = places[:, i].unique()
            assert int(found.max() - found.min()) + 1 == len(found) == sides.get(i, n)
            size *= len(found)
        assert int(hidden.sum()) == size
    starts = {tuple(hidden.nonzero()[0].tolist()) for hidden in ~of}
    assert len(starts) > 10


def test_a_region_per_frame_moves_and_otherwise_stays() -> None:
    square = Region(0.16, axes=(2, 3), per=(1,))
    of = known(square, CLIP)
    assert (of == of[:, :1]).all()  # all channels
    hidden = (~of[:, 0]).flatten(2)
    assert (hidden.sum(2) == round(8 * 0.4) * round(6 * 0.4)).all()
    assert (hidden != hidden[:, :1]).any()
    still = known(Region(0.16, axes=(2, 3)), CLIP)
    assert (still == still[:, :, :1]).all()


def test_halves_and_slices() -> None:
    of = known(Half(1, "first"), (2, 6))
    assert (~of[:, :, :3]).all()
    assert of[:, :, 3:].all()
    of = known(Half(1, "last", hidden=1 / 3), (2, 6))
    assert of[:, :, :4].all()
    assert not of[:, :, 4:].any()
    of = known(Half(2), (2, 3, 8))
    assert float(of[:, 0, 0, 0].double().mean()) == pytest.approx(0.5, abs=0.15)
    assert (of[..., 0] != of[..., -1]).all()
    frames = known(Slices(1, 0.5), CLIP)
    each = frames[:, 0, :, 0, 0]
    assert (frames == each[:, None, :, None, None]).all()
    assert (each.sum(1) == 5).all()
    assert len(each.unique(dim=0)) > 50
    run = ~known(Slices(1, 0.3, together=True), CLIP)[:, 0, :, 0, 0]
    assert (run.sum(1) == 3).all()
    assert ((run[:, 1:] != run[:, :-1]).sum(1) <= 2).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Random(1.2), lambda: Random((0.6, 0.4)), lambda: Region(-0.1), lambda: Region(0.2, (1,), (1,)),
        lambda: known(Slices(4), CLIP), lambda: known(Half(-1), CLIP), lambda: known(Region(0.2, (7,)), CLIP),
        lambda: known(Random(0.5, (5,)), CLIP),
    ],
)  # fmt: skip
def test_wrong_settings_of_masks_name_their_key(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match=r"^masks\.(hidden|axes|axis|together): "):
        make()


# -- data sets ---------------------------------------------------------------------------------------------------------


def epochs(data: Dataset, masks_of: str) -> list[Tensor]:
    """The masks of examples 0, 1, 2, ... in two epochs of learning."""
    stream = Stream(data, len(data), seed=3)
    found = []
    for t in range(2):
        batch = stream.batch(t)
        assert batch.index is not None
        assert batch.known is not None or masks_of == "condition"
        of = batch.known if masks_of == "known" else batch.condition["known"]
        found.append(of[batch.index.argsort()])
    stream.close()
    return found


def test_incomplete_data_have_one_mask_per_example_and_never_show_its_hidden_part() -> None:
    data = Masked(NormalSamples(n=64, dim=20), (Random(0.5),))
    a, b = epochs(data, "known")
    assert torch.equal(a, b)
    assert len(a.unique(dim=0)) == 64
    batch = first(data)
    assert batch.known is not None
    assert torch.equal(batch.known, a)
    assert torch.equal(batch.x, batch.truth * a)
    assert (batch.truth != 0).all()
    assert batch.condition is None


def test_masks_as_a_condition_are_new_in_every_epoch_of_training_only() -> None:
    data = Masked(NormalSamples(n=64, dim=20, labels=True), (Random(0.5),), given="condition")
    a, b = epochs(data, "condition")
    assert (a != b).any(1).all()
    still = Masked(NormalSamples(n=64, dim=20), (Random(0.5),), given="condition", fixed=True)
    assert torch.equal(*epochs(still, "condition"))
    test = Masked(NormalSamples("test", n=64, dim=20), (Random(0.5),), given="condition", split="test")
    assert torch.equal(*epochs(test, "condition"))
    batch = first(data)
    assert batch.known is None
    assert torch.equal(batch.x, batch.truth)
    assert torch.equal(batch.condition["values"], batch.x * batch.condition["known"])
    assert set(batch.condition["inner"].tolist()) == {0, 1}
    assert isinstance(data.condition, dict)
    assert data.condition["known"] == Space((20,), kind="mask")
    assert data.condition["inner"].classes == 2


def test_masks_are_mixed_in_proportion_to_their_weights() -> None:
    masks = (Half(0, "first"), Half(0, "last"), Random(0.0))
    for weights, wanted in ((None, (1 / 3, 1 / 3, 1 / 3)), ((3.0, 1.0, 0.0), (0.75, 0.25, 0.0))):
        of = first(Masked(NormalSamples(n=2000, dim=2), masks, weights)).known
        assert of is not None
        found = [
            (of == torch.tensor(which)).all(1).double().mean() for which in ([False, True], [True, False], [True, True])
        ]
        assert [float(f) for f in found] == pytest.approx(wanted, abs=0.04)
    for weights in ((1.0, 2.0), (0.0, 0.0, 0.0), (-1.0, 1.0, 1.0)):
        with pytest.raises(RecipeError, match="weights: 3 masks need as many"):
            Masked(NormalSamples(n=4), masks, weights)
    with pytest.raises(RecipeError, match="weights: 0 masks"):
        Masked(NormalSamples(n=4), ())


def test_one_hot_sites_are_hidden_whole_and_incomplete_data_stay_incomplete() -> None:
    letters = torch.eye(4)[torch.randint(4, (50, 6), generator=torch.Generator().manual_seed(0))]
    of = first(Masked(InMemory(letters, kind="one-hot"), (Random(0.5),))).known
    assert of is not None
    assert (of == of[..., :1]).all()
    assert 0.3 < float(of.double().mean()) < 0.7
    batch = first(Masked(NormalSamples(n=500, dim=4, hidden=0.5), (Random(0.5),)))
    assert batch.known is not None
    assert float(batch.known.double().mean()) == pytest.approx(0.25, abs=0.05)


def test_the_digest_follows_the_data_and_every_setting() -> None:
    even = Random(0.5)

    def data(n: int = 32, mask: Mask = even, **more: object) -> str:
        return Masked(NormalSamples(n=n, dim=3), (mask,), **more).digest()  # type: ignore[arg-type]

    found = [
        data(), data(33), data(mask=Random(0.5000001)), data(mask=Half(0)), data(given="condition"),
        data(given="condition", fixed=True), Measured(NormalSamples(n=32, dim=4), Pool(2)).digest(),
        Measured(NormalSamples(n=32, dim=4), Pool(4)).digest(),
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    assert data() == data()


def test_measurements_are_the_condition() -> None:
    data = Measured(NormalSamples(n=10, dim=(2, 4), labels=True), Pool(2))
    batch = first(data)
    assert torch.allclose(batch.condition["measured"], batch.x.view(10, 2, 2, 2).mean(3))
    assert data.condition["measured"].shape == (2, 2)  # type: ignore[index, call-overload, union-attr]
    assert batch.condition["inner"].shape == (10,)


def test_a_recipe_wraps_any_data_and_passes_its_split_on() -> None:
    registry = Registry()
    spec = {
        "name": "masked",
        "of": {"name": "normal", "n": 40, "dim": 3},
        "masks": [{"name": "random", "hidden": [0.2, 0.8]}, {"name": "half", "axis": 0}],
    }
    filled = registry.fill("dataset", spec, "data")
    train, test = (registry.build("dataset", {**filled, "split": s}) for s in ("train", "test"))
    assert train.masks == (Random((0.2, 0.8)), Half(0))
    assert torch.equal(first(test).truth, first(NormalSamples("test", n=40, dim=3)).x)
    assert torch.equal(first(train).truth, first(NormalSamples("train", n=40, dim=3)).x)
    for change, text in (
        ({"masks": {"name": "random"}}, r"data.masks: must be a list"),
        ({"masks": [{"name": "randm"}]}, r'no mask "randm"; did you mean random\?'),
        ({"masks": [{"name": "half"}]}, r"data.masks.0.axis"),
        ({"of": {"name": "nrmal"}}, r'no dataset "nrmal"'),
    ):
        with pytest.raises(UserError, match=text):
            registry.fill("dataset", {**spec, **change}, "data")
