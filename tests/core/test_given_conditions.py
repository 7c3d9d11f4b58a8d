"""Conditions from a split and from files: which rows, which structure, and what is said of files that do not fit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import ebmsuite
from ebmsuite.builtin.examples import LATENT_EXAMPLE, MLE_EXAMPLE, SYMBOLS_EXAMPLE, VAE_EXAMPLE
from ebmsuite.cli import main
from ebmsuite.conditions import chosen, from_file, from_split
from ebmsuite.dataset import InMemory, fixed_subset
from ebmsuite.diagnosis.diagnose import measure
from ebmsuite.diagnosis.page import write_page
from ebmsuite.errors import DataError, UserError
from ebmsuite.experiment.train import train
from ebmsuite.model import Model
from ebmsuite.space import Batch, Space

LABELLED = {"data": {"name": "normal", "n": 200, "dim": 2, "labels": True}}
FEW = {"budget": {"steps": 1, "batch": 16}, "data": LABELLED}
SCENE = {
    "scene": {"neighbours": Space((None, 2), mask="there"), "there": Space((None,), kind="mask")},
    "kind": Space((), kind="label", classes=3),
    "goal": (Space((2,)), Space((1,), optional=True)),
}


def model_for(condition, data=None) -> Model:
    model = object.__new__(Model)
    model.recipe = SimpleNamespace(recipe="some/recipe")  # type: ignore[assignment]
    model.trainer = SimpleNamespace(roles={})  # type: ignore[assignment]
    model.condition, model.codec, model.device, model.data = condition, None, torch.device("cpu"), data or {}
    return model


@pytest.fixture(scope="module")
def vae(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is conditional on a label of two classes."""
    return train(VAE_EXAMPLE | FEW, out=tmp_path_factory.mktemp("vae") / "run", quiet=True)


def ebm(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


# -- from a split -------------------------------------------------------------------------------------------------


def test_a_fixed_random_subset_of_a_split_with_its_facts() -> None:
    meta = {"name": np.array([f"row {i}" for i in range(100)])}
    data = {"test": InMemory(torch.arange(100.0)[:, None], torch.arange(100.0)[:, None], meta=meta)}
    found = from_split(model_for(Space((1,)), data), "test", 10)
    rows = fixed_subset(range(100), 10)
    assert torch.equal(found.batch.condition[:, 0].long(), rows)
    assert found.batch.meta["name"].tolist() == [f"row {i}" for i in rows]
    assert found.source == "10 of 100 examples of the split test"
    everything = from_split(model_for(Space((1,)), data), "test", 1000)
    assert (len(everything.batch), everything.source) == (100, "100 of 100 examples of the split test")


def test_what_has_no_conditions_is_said(tmp_path: Path) -> None:
    data = {"test": InMemory(torch.zeros(3, 1)), "valid": InMemory(torch.zeros(0, 1))}
    for split, message in (
        ("valid", 'the data have no split "valid" .they have: test.'),
        ("tset", 'the data have no split "tset"'),
        ("test", "the examples of its data have no condition; use --condition FILE"),
    ):
        with pytest.raises(UserError, match=message):
            from_split(model_for(Space((1,)), data), split)
    np.save(tmp_path / "c.npy", np.zeros((2, 1)))
    for give in (lambda m: from_split(m, "test"), lambda m: from_file(m, tmp_path / "c.npy")):
        with pytest.raises(
            UserError, match="some/recipe: the model is unconditional; leave out --from, --condition and given"
        ):
            give(model_for(None, data))
    with pytest.raises(UserError, match="two sources of conditions"):
        chosen(model_for(Space((1,))), "test", tmp_path / "c.npy", None)
    assert chosen(model_for(Space((1,))), None, None, 5) is None


# -- from files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_one_array_of_any_name(tmp_path: Path, dtype) -> None:
    labels = np.array([2, 0, 1], dtype)
    np.save(tmp_path / "a.npy", labels)
    np.savez(tmp_path / "a.npz", anything=labels)
    save_file({"anything": torch.from_numpy(labels)}, tmp_path / "a.safetensors")
    for name in ("a.npy", "a.npz", "a.safetensors"):
        batch, source = from_file(model_for(Space((), kind="label", classes=3)), tmp_path / name)
        assert batch.condition.dtype == torch.int64
        assert batch.condition.tolist() == [2, 0, 1]
        assert (len(batch), source) == (3, f"3 of 3 rows of {tmp_path / name}")


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_floats_and_a_part_of_the_rows(tmp_path: Path, dtype) -> None:
    np.save(tmp_path / "a.npy", np.arange(20).reshape(10, 2).astype(dtype))
    batch, source = from_file(model_for(Space((2,))), tmp_path / "a.npy", 4)
    assert batch.condition.dtype == torch.float32
    assert torch.equal(batch.condition[:, 0].long() // 2, fixed_subset(range(10), 4))
    assert source == f"4 of 10 rows of {tmp_path / 'a.npy'}"


def leaves(n: int = 3) -> dict[str, np.ndarray]:
    return {
        "scene.neighbours": np.ones((n, 5, 2)), "scene.there": np.ones((n, 5), bool), "kind": np.zeros(n, np.int32),
        "goal.#0": np.ones((n, 2), np.float32), "goal.#1": np.ones((n, 1)),
    }  # fmt: skip


@pytest.mark.parametrize("optional", [True, False])
def test_a_tree_by_the_paths_of_its_leaves(tmp_path: Path, optional: bool) -> None:
    given = leaves()
    if not optional:
        del given["goal.#1"]
    np.savez(tmp_path / "a.npz", **given)
    save_file({k: torch.from_numpy(v) for k, v in given.items()}, tmp_path / "a.safetensors")
    for name in ("a.npz", "a.safetensors"):
        c = from_file(model_for(SCENE), tmp_path / name).batch.condition
        assert c["scene"]["neighbours"].dtype == torch.float32
        assert c["scene"]["there"].dtype == torch.bool
        assert c["kind"].dtype == torch.int64
        assert c["goal"][0].shape == (3, 2)
        assert (c["goal"][1] is None) is not optional


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": None}, "the arrays of the condition are scene.neighbours, .*; missing kind$"),
        ({"scene.there": None, "kind": None}, "missing scene.there, kind$"),
        ({"speed": np.ones(3)}, "unknown speed$"),
        ({"kind": None, "kinds": np.zeros(3, int)}, "missing kind; unknown kinds$"),
        ({"kind": np.zeros(4, int)}, "the same number of rows, but scene.neighbours has 3, .*kind has 4"),
        ({"kind": np.zeros(3)}, "condition.kind: the values are float32, they must be whole numbers"),
        ({"kind": np.full(3, 3)}, "condition.kind: the values are 3 to 3, they must be 0 to 2"),
        ({"kind": np.array(1)}, "the same number of rows, but"),
        ({"goal.#0": np.ones((3, 3))}, r"the shape is \[3, 3\], it must be \[rows, 2\]"),
        ({"goal.#0": np.ones((3, 2), int)}, r"the values are int64, they must be real numbers"),
        ({"scene.there": np.ones((3, 5), int)}, "condition.scene.there: the values are int64, they must be booleans"),
        ({"scene.there": np.ones((3, 4), bool)}, "it is the mask of neighbours"),
        ({"kind": np.array(["a", "b", "c"])}, "cannot be read as arrays of numbers"),
        ({"kind": np.array([1j, 2, 3])}, "cannot be read as arrays of numbers .an array of complex numbers"),
        ({"kind": np.array([None, 1, 2])}, "cannot be read as arrays of numbers"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_named(tmp_path: Path, change, message: str) -> None:
    given = {k: v for k, v in (leaves() | change).items() if v is not None}
    np.savez(tmp_path / "a.npz", **given)
    with pytest.raises(DataError, match=message) as error:
        from_file(model_for(SCENE), tmp_path / "a.npz")
    assert str(error.value).startswith(f"{tmp_path / 'a.npz'}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", None, "there is no such file or folder"),
        ("a.npy", b"no numbers", "cannot be read as arrays of numbers"),
        ("a.npz", b"PK\x03\x04 cut off", "cannot be read as arrays of numbers"),
        ("a.safetensors", b"cut", "cannot be read as arrays of numbers"),
        ("a.npy", np.zeros((0, 2)), "the file has no rows"),
        ("a.npy", np.zeros(()), "the file has no rows"),
        ("a.npy", np.zeros((3, 5)), r"condition: the shape is \[3, 5\], it must be \[rows, 2\]"),
        ("a.npz", {"a": np.zeros((3, 2)), "b": np.zeros((3, 2))}, "the condition is one array, but the file has a, b"),
        ("a.npz", {}, "the condition is one array, but the file has none"),
        ("a.csv", b"1,2\n", 'conditions are read from .safetensors, .npy, .npz files, not from ".csv"'),
    ],
)  # fmt: skip
def test_files_that_hold_no_condition(tmp_path: Path, name: str, content, message: str) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif content is not None:
        np.save(path, content)
    with pytest.raises(DataError, match=message):
        from_file(model_for(Space((2,))), path)


def test_a_file_of_the_codec(tmp_path: Path) -> None:
    read = Batch(torch.zeros(3, 1), torch.tensor([0, 1, 5]), meta={"name": np.array(["a", "b", "c"])})
    model = model_for(Space((), kind="label", classes=6))
    model.codec = SimpleNamespace(name="test/codec", read=lambda path: read)  # type: ignore[assignment]
    (tmp_path / "a.csv").write_text("")
    assert from_file(model, tmp_path / "a.csv").batch is read
    model.condition = Space((), kind="label", classes=5)
    with pytest.raises(
        DataError, match=r"a.csv: some/recipe: the condition does not fit .*0 to 5, they must be 0 to 4"
    ):
        from_file(model, tmp_path / "a.csv")
    model.codec = SimpleNamespace(name="test/codec", read=lambda path: Batch(torch.zeros(3, 1)))  # type: ignore[assignment]
    with pytest.raises(DataError, match='the codec "test/codec" reads events without a condition'):
        from_file(model, tmp_path / "a.csv")


# -- the commands -------------------------------------------------------------------------------------------------


def test_sample_for_the_conditions_of_a_split(capsys, vae: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    code, said, _ = ebm(capsys, "sample", vae, "--from", "test", "-n", 5, "-k", 3, "--out", out)
    assert code == 0
    assert said == f"conditions: 5 of 200 examples of the split test\nsamples per condition: 3\n{out}\n"
    stored, model = load_file(out), ebmsuite.load(vae)
    rows = fixed_subset(range(200), 5)
    assert torch.equal(stored["condition"], model.data["test"].labels[rows].repeat_interleave(3))
    again = model.sample_for(Batch(torch.empty(5, 0), model.data["test"].labels[rows]), 3, model.generator(0))
    assert torch.equal(stored["x"], again.flatten(0, 1))


def test_sample_for_the_conditions_of_a_file(capsys, vae: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", np.array([1, 0, 1, 1]))
    out = tmp_path / "x.safetensors"
    code, said, _ = ebm(capsys, "sample", vae, "--condition", tmp_path / "c.npy", "-k", 2, "--out", out)
    assert (code, said.splitlines()[0]) == (0, f"conditions: 4 of 4 rows of {tmp_path / 'c.npy'}")
    assert load_file(out)["condition"].tolist() == [1, 1, 0, 0, 1, 1, 1, 1]
    ebm(capsys, "sample", vae, "--condition", tmp_path / "c.npy", "-n", 2, "--out", out)
    assert load_file(out)["x"].shape == (2, 2)


def test_the_facts_of_the_conditions_reach_the_codec(capsys, vae: Path, tmp_path: Path, monkeypatch) -> None:
    model, seen = ebmsuite.load(vae), []
    test = model.data["test"]
    test.meta = {"name": np.array([f"row {i}" for i in range(len(test))])}
    model.codec = SimpleNamespace(write=lambda x, path, batch: seen.append((x, batch)))  # type: ignore[assignment]
    monkeypatch.setattr("ebmsuite.model.load", lambda *a, **k: model)
    assert ebm(capsys, "sample", vae, "--from", "test", "-n", 3, "-k", 2, "--out", tmp_path / "x.csv")[0] == 0
    ((x, batch),) = seen
    rows = fixed_subset(range(200), 3).repeat_interleave(2)
    assert len(x) == len(batch) == 6
    assert batch.meta["name"].tolist() == [f"row {i}" for i in rows]
    assert torch.equal(batch.index, rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), r"the model is conditional; give conditions with --from SPLIT .such as test. or --condition FILE"),
        (("-k", 2), "-k: the number of samples per condition; add --from SPLIT or --condition FILE"),
        (("--from", "test", "-k", 0), "-k: must be at least 1, got 0"),
        (("--from", "test", "-n", 0), "-n: must be at least 1, got 0"),
        (("--from", "test", "--condition", "c.npy"), "--from and --condition are two sources of conditions"),
        (("--condition", "nowhere.npy"), "nowhere.npy: there is no such file or folder"),
        (("--from", "tset"), 'data set "normal"|split: "tset" is not one of train, valid, test'),
        (("--from", "test", "--temperature", 0.5), "temperature and likeliest are for a generator that draws discrete"),
        (("--from", "test", "--likeliest"), "temperature and likeliest are for a generator that draws discrete"),
    ],
)
def test_one_line_for_each_mistake(capsys, vae: Path, tmp_path: Path, options, message: str) -> None:
    code, _, err = ebm(capsys, "sample", vae, *options, "--out", tmp_path / "x.npy")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert re.search(message, err), err
    assert list(tmp_path.iterdir()) == []


def test_models_that_draw_without_a_condition_still_do(capsys, tmp_path: Path) -> None:
    """A buffer gives kept conditions, and labels of a joint energy are optional; labels from a file are accepted."""
    mle = MLE_EXAMPLE | FEW | {"players": {"energy": {"name": "mlp", "width": 8, "depth": 1}}}
    symbols = SYMBOLS_EXAMPLE | {"budget": {"steps": 1, "batch": 16}}
    np.save(tmp_path / "c.npy", np.array([1, 0]))
    for name, recipe in (("mle", mle), ("symbols", symbols)):
        run = train(recipe, out=tmp_path / name, quiet=True)
        for options in ((), ("--condition", tmp_path / "c.npy")):
            code, _, err = ebm(capsys, "sample", run, "-n", 2, *options, "--out", tmp_path / "x.npy")
            assert (code, err.replace("\n", "")[:20]) == (0, ""), err
            assert np.load(tmp_path / "x.npy").shape == (2, 2)


# -- diagnosis ----------------------------------------------------------------------------------------------------


def test_chains_are_diagnosed_with_the_conditions_that_the_user_gives(capsys, tmp_path: Path) -> None:
    energy = {"players": {"energy": {"name": "mlp", "width": 8, "depth": 1}}}
    run = train(MLE_EXAMPLE | FEW | energy, out=tmp_path / "run", quiet=True)
    model = ebmsuite.load(run)
    of_split = measure(model, None, 8, [3], None, 0, "valid")
    valid = model.data["valid"]
    rows = fixed_subset(valid, 8)
    assert [r.start for r in of_split.runs] == ["learning", "data"]
    for r in of_split.runs:
        assert torch.equal(r.condition, valid.labels[rows])
    assert torch.equal(of_split.runs[1].moments[0].x, valid.x[rows])
    assert of_split.conditions == "8 of 200 examples of the split valid"
    np.save(tmp_path / "c.npy", np.array([1, 1, 0]))
    code, out, err = ebm(
        capsys, "diagnose", run, "--condition", tmp_path / "c.npy", "-n", 8, "--times", 3, "--device", "cpu"
    )
    assert code == 0, err
    said = f"conditions: 3 of 3 rows of {tmp_path / 'c.npy'}"
    assert out.splitlines()[0] == said
    assert said in (run / "diagnosis.html").read_text()
    stored = json.loads((run / "diagnosis.json").read_text())
    assert [r["start"] for r in stored["runs"]] == ["learning"]  # a file has no events to start at
    of_file = measure(model, None, 8, [3], None, 0, condition=tmp_path / "c.npy")
    assert of_file.runs[0].condition.tolist() == [1, 1, 0, 1, 1, 0, 1, 1]
    assert measure(model, None, 8, [3], None, 0).conditions == ""
    with pytest.raises(UserError, match="the longest chains have 5 steps and the diagnosis needs at least 8"):
        measure(model, None, 8, [1], None, 0)
    code, _, err = ebm(capsys, "diagnose", run, "--from", "test", "--condition", tmp_path / "c.npy")
    assert (code, "two sources of conditions" in err) == (2, True)


def test_the_prior_of_a_conditional_model_needs_conditions(tmp_path: Path) -> None:
    run = train(LATENT_EXAMPLE | FEW, out=tmp_path / "run", quiet=True)
    model = ebmsuite.load(run)
    with pytest.raises(UserError, match="the model is conditional; give conditions with --from SPLIT"):
        measure(model, None, 8, [3], False, 0)
    found = measure(model, None, 8, [3], False, 0, "test")
    assert found.phase == "prior"
    assert all(torch.equal(r.condition, model.data["test"].labels[fixed_subset(range(200), 8)]) for r in found.runs)
    assert write_page(found, model, tmp_path).is_file()


def test_chains_that_start_at_examples_need_them(tmp_path: Path) -> None:
    recipe = MLE_EXAMPLE | FEW | {"players": {"energy": {"name": "mlp", "width": 8, "depth": 1}}}
    run = train(recipe, "chains={name: data}", out=tmp_path / "run", quiet=True)
    np.save(tmp_path / "c.npy", np.array([1, 1, 0]))
    model = ebmsuite.load(run)
    with pytest.raises(UserError, match=r"start at examples, and .*c.npy has none; use --from SPLIT"):
        measure(model, None, 8, [3], None, 0, condition=tmp_path / "c.npy")
    assert [r.start for r in measure(model, None, 8, [3], None, 0, "test").runs] == ["data"]
