"""Numbers of sets of molecules against known answers, and baselines."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ebmsuite.dataset import Dataset
from ebmsuite.errors import PluginError, UserError
from ebmsuite.evaluation.distances import frechet
from ebmsuite.plugins.testing import rng
from ebmsuite_molecule.codec import Strings
from ebmsuite_molecule.data import Molecules, zinc250k
from ebmsuite_molecule.metrics import (
    Distribution,
    Validity,
    chemnet,
    cosine,
    counted,
    distribution,
    internal_diversity,
    nearest,
    tanimoto,
    training_forms,
    wasserstein,
    wilson,
)
from ebmsuite_molecule.metrics.distances import bit_rows
from ebmsuite_molecule.metrics.samples import fixed_part

LETTERS = tuple("()1=CNOcn")
CODEC = Strings("atoms", LETTERS, 40)


class Fixed:
    """A model whose samples are these strings."""

    def __init__(self, strings: list[str], codec: Strings = CODEC) -> None:
        self.strings, self.codec = strings, codec

    def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
        assert n == len(self.strings)  # drawn in one go
        return self.codec.encode(self.strings)

    def describe(self) -> Mapping[str, Any]:
        return {"step": 7}


def sets(train: list[str], test: list[str], codec: Strings = CODEC) -> dict[str, Dataset]:
    return {"train": Molecules(train, codec), "valid": Molecules(test, codec), "test": Molecules(test, codec)}


# -- validity, uniqueness, novelty ---------------------------------------------------------------------------


def test_counts_of_a_list_with_known_answers() -> None:
    strings = ["CCO", "OCC", "c1ccccc1", "C1CC", "", "CCN", "CC("]
    train = ["OCC", "C1=CC=CC=C1"]  # benzene, written with its double bonds
    scores = Validity()(Fixed(strings), sets(train, ["CC"]), rng(), 7)
    assert list(scores) == ["validity", "uniqueness", "novelty", "length"]
    assert scores["validity"].value == 4 / 7
    assert scores["uniqueness"].value == 3 / 4
    assert scores["novelty"].value == 1 / 3
    assert scores["length"].value == sum(map(len, strings)) / 7
    facts = scores["validity"].protocol
    counts = {k: facts[k] for k in ("generated", "valid", "distinct", "novel", "empty", "n_train")}
    assert counts == {"generated": 7, "valid": 4, "distinct": 3, "novel": 1, "empty": 1, "n_train": 2}
    assert facts["draws_a_molecule"] == 7 / 4
    assert (facts["of"], facts["model"], facts["tokeniser"]) == ("samples", {"step": 7}, "atoms")
    assert scores["uniqueness"].protocol["of_generated"] == 3 / 7
    for score in scores.values():
        assert score.low is not None
        assert score.high is not None
        assert score.low <= score.value <= score.high


def test_canonical_copies_count_once_and_stereochemistry_counts() -> None:
    found = counted(["CC(O)N", "C(C)(O)N", "[C@H](C)(O)N", "[C@@H](C)(O)N", "NC(O)C"], training_forms(["NC(C)O"]))
    assert (found.generated, found.valid, found.distinct, found.novel) == (5, 5, 3, 2)


def test_nothing_valid_is_zero_and_not_an_error() -> None:
    scores = Validity()(Fixed(["", "C1", "(("]), sets(["CC"], ["CC"]), rng(), 3)
    assert [scores[k].value for k in ("validity", "uniqueness", "novelty")] == [0, 0, 0]
    assert scores["novelty"].high == 1
    scores = Distribution()(Fixed(["", "C1", "(("]), sets(["CC"], ["CCO", "CCN", "c1ccccc1O"]), rng(), 3)
    assert all(math.isfinite(s.value) for s in scores.values())
    assert "methane" in scores["weight"].protocol["caution"]
    assert scores["weight"].value > 30


def test_strings_that_were_cut_off_count_as_invalid_everywhere() -> None:
    class Cut(Fixed):
        def sample(self, n: int, *, rng: torch.Generator) -> Tensor:
            x = super().sample(n, rng=rng)
            return x[:, :3]  # the ends of longer strings are lost; what is left would be molecules

    model = Cut(["CC", "CCO", "CCCCN", "CO"])
    scores = Validity()(model, sets(["CC"], ["CC"]), rng(), 4)
    assert scores["validity"].value == 2 / 4
    assert scores["uniqueness"].protocol["distinct"] == 2
    assert scores["length"].value == (2 + 3 + 3 + 2) / 4
    assert all(s.protocol["truncated"] == 2 for s in scores.values())
    scores = Distribution(groups=("properties", "fragments"))(model, sets(["CC"], ["CC", "CO"]), rng(), 4)
    assert scores["weight"].value == 0
    assert all((s.protocol["truncated"], s.protocol["valid"]) == (2, 2) for s in scores.values())


def test_what_the_data_leave_out_stands_in_the_protocol() -> None:
    data = sets(["CC", "CN"], ["CC"])
    data["train"].skipped = {"that are no molecules": ["line 2", "line 5"]}
    scores = Validity()(Fixed(["CC", "*"], Strings("atoms", ("*", "C", "N"), 9)), data, rng(), 2)
    assert scores["validity"].value == 0.5  # a dummy atom is no molecule
    assert scores["validity"].protocol["left_out"] == {"that are no molecules": 2}
    assert scores["validity"].protocol["truncated"] == 0


def test_wilson_is_that_of_the_textbook() -> None:
    low, high = wilson(8, 10)
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)
    assert wilson(0, 0) == (0, 1)
    assert wilson(10, 10)[1] == 1


# -- distances -----------------------------------------------------------------------------------------------


def test_tanimoto_neighbours_and_diversity_by_hand() -> None:
    a = bit_rows([[0, 1], [2], []], 4)
    b = bit_rows([[0, 1, 2], [2, 3]], 4)
    assert tanimoto(a, b).tolist() == [[pytest.approx(2 / 3), 0], [pytest.approx(1 / 3), 0.5], [0, 0]]
    index, similarity = nearest(a, b)
    assert index.tolist()[:2] == [0, 1]
    assert similarity.tolist() == [pytest.approx(2 / 3), 0.5, 0]
    assert internal_diversity(bit_rows([[0, 1]] * 5, 4)) == pytest.approx(0)
    assert internal_diversity(bit_rows([[0], [1]], 4)) == pytest.approx(0.5)  # a row is similar to itself


def test_cosine_of_counts_by_hand() -> None:
    a, b = Counter({"x": 3, "y": 4}), Counter({"y": 2, "z": 9})
    assert cosine(a, b) == pytest.approx(8 / (5 * math.sqrt(85)))
    assert cosine(a, a) == pytest.approx(1)
    assert cosine(a, Counter()) == 0


def test_wasserstein_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    draws = np.random.default_rng(0)
    for n, m in ((5, 9), (100, 100), (1, 30)):
        a, b = draws.normal(size=n).round(1), draws.normal(0.5, 2, size=m).round(1)  # with ties
        assert wasserstein(a, b) == pytest.approx(stats.wasserstein_distance(a, b))
    assert wasserstein(a, a) == 0


def test_frechet_of_gaussians() -> None:
    a = torch.randn(400, 5, generator=rng())
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet(a, a + torch.tensor([3.0, 4, 0, 0, 0])) == pytest.approx(25, rel=1e-5)
    assert frechet(a, 2 * a) == pytest.approx(float(torch.cov(a.T).trace() + a.mean(0).square().sum()), rel=1e-5)
    with pytest.raises(UserError, match="at least 2"):
        frechet(a[:1], a)


# -- the whole metric ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def zinc() -> dict[str, Dataset]:
    made = {s: zinc250k(s, n=60, embedded=True) for s in ("train", "valid", "test")}
    return dict(made)


@pytest.mark.slow
def test_a_set_against_itself(zinc: dict[str, Dataset]) -> None:
    pytest.importorskip("fcd_torch")
    test = zinc["test"]
    assert isinstance(test, Molecules)
    assert isinstance(test.codec, Strings)
    scores = Distribution()(Fixed(test.strings, test.codec), zinc, rng(), 60)
    names = ["fcd", "snn", "fragments", "scaffolds", "diversity", "logp", "qed", "sa", "weight"]
    assert list(scores) == names
    assert scores["fcd"].value == pytest.approx(0, abs=1e-3)
    assert "singular" in scores["fcd"].protocol["caution"]
    for name in ("snn", "fragments", "scaffolds"):
        assert scores[name].value == pytest.approx(1, abs=1e-6)
    for name in names[5:]:
        assert scores[name].value == 0
    assert scores["diversity"].value == pytest.approx(scores["diversity"].protocol["of_reference"])
    assert 0.8 < scores["diversity"].value < 0.95
    facts = scores["snn"].protocol
    assert (facts["n_samples"], facts["valid"], facts["n_reference"], facts["reference"]) == (60, 60, 60, "all")
    assert facts["split"] == "test"


@pytest.mark.filterwarnings("ignore:`row_stack`:DeprecationWarning")
def test_features_of_chemnet_are_those_of_its_package() -> None:
    fcd = pytest.importorskip("fcd_torch")
    strings = zinc250k("test", n=6, embedded=True).strings
    ours = chemnet.ChemNet().of_strings(strings)
    assert ours.shape == (6, 512)
    theirs = fcd.FCD(canonize=False).get_predictions(strings)
    assert np.abs(ours.numpy() - theirs).max() < 1e-5
    extractor, train = chemnet.ChemNet(), zinc250k("train", n=6, embedded=True)
    with pytest.raises(ValueError, match="prepare"):
        extractor(torch.zeros(1, 2))
    extractor.prepare({"train": train})
    of_tokens = extractor(zinc250k("test", n=6, embedded=True).batch(torch.arange(6), torch.zeros(6)).x)
    assert torch.allclose(of_tokens.features, ours, atol=1e-6)


def test_without_fcd_the_score_is_absent_and_said(monkeypatch: pytest.MonkeyPatch, zinc: dict[str, Dataset]) -> None:
    def none() -> None:
        raise PluginError("not here")

    monkeypatch.setattr(chemnet, "_net", none)
    scores = Distribution(groups=("fcd", "fragments", "properties"))(Fixed([""]), zinc, rng(), 1)
    assert list(scores) == ["fragments", "logp", "qed", "sa", "weight"]
    assert scores["fragments"].protocol["fcd"] == "not installed"
    with pytest.raises(PluginError):
        chemnet.ChemNet()


def test_baselines(zinc: dict[str, Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    model = Fixed([])  # is not asked
    held = Validity(of="held-out")(model, zinc, rng(), 50)
    assert (held["validity"].value, held["uniqueness"].value, held["novelty"].value) == (1, 1, 1)
    assert held["validity"].protocol["generated"] == 50
    assert Validity(of="held-out")(model, zinc, rng(), 500)["validity"].protocol["generated"] == 60
    ngram = Validity(of="n-gram")(model, zinc, rng(), 50)["validity"]
    assert ngram.value < 1
    assert (ngram.protocol["of"], ngram.protocol["order"], ngram.protocol["generated"]) == ("n-gram", 6, 50)
    assert "model" not in ngram.protocol
    groups: tuple[distribution.Group, ...] = ("properties",)
    near = Distribution(of="held-out", groups=groups)(model, zinc, rng(), 60)["weight"].value
    far = Distribution(of="n-gram", groups=groups)(model, zinc, rng(), 60)["weight"].value
    assert near < 40 < far


def test_errors_name_what_is_missing(zinc: dict[str, Dataset]) -> None:
    with pytest.raises(UserError, match='no split "test"'):
        Distribution()(Fixed(["CC"]), {"train": zinc["train"]}, rng(), 1)
    with pytest.raises(UserError, match="at least one sample"):
        Validity()(Fixed([]), zinc, rng(), 0)


def test_a_fixed_part_is_the_same_always() -> None:
    strings = [str(i) for i in range(100)]
    assert fixed_part(strings, 100) == strings
    part = fixed_part(strings, 10)
    assert part == fixed_part(list(strings), 10)
    assert len(set(part)) == 10
    assert part != strings[:10]
