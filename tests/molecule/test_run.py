"""The recipes learn, and a learned model is put to every task, on the embedded molecules."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ebmsuite.cli import main
from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.model import Model, load
from ebmsuite.plugins.conformance import interrupted_run, same_end
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import watched_by

registry = Registry()
TINY = (
    "data.data.n=300", "data.data.embedded=true", "latent=4", "log.every=2", watched_by("log"), "metrics=[]",
    "render=[]", "compute.device=cpu", "compute.fast=eager", "checkpoint.every=4", "budget.batch=16",
)  # fmt: skip
LSTM = "{name: molecule/lstm, embedding: 8, width: 16, dropout: 0.1}"
CONV = "{name: molecule/conv-encoder, width: 8, depth: 1}"


def tiny(recipe: str, out: Path, *more: str) -> Model:
    return load(train(recipe, *TINY, *more, out=out, quiet=True))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("molecule") / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> Model:
    return tiny("molecule/zinc-lebm", run, "budget.steps=4", f"players.generator={LSTM}", f"players.encoder={CONV}")


@pytest.fixture(scope="module")
def smiles(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("input") / "some.smi"
    file.write_text("CCOc1ccccc1\nCC(=O)NC1CCCCC1\nCCN(CC)C(=O)c1ccco1\n")
    return file


def apply(model: Model, task: str, inputs: Path | None, out: Path, **settings: object) -> dict:
    spec = registry.fill("task", {"name": task, **settings}, task)
    return registry.build("task", spec)(model, inputs, out, model.generator(0))


@pytest.mark.parametrize(
    "name",
    ["zinc-lebm", "zinc-lebm-published", "zinc-lstm", "zinc-property", "moses-lebm", "qm9-lebm"],
)
@pytest.mark.parametrize("budget", [None, "quick"])
def test_recipes_are_complete(name: str, budget: str | None) -> None:
    recipe = read_recipe(f"molecule/{name}", registry, budget=budget)
    assert [p["longest"] for p in recipe.players.values() if "longest" in p] == [None]  # that of the data
    for optimiser in recipe.optimisers.values():
        if not isinstance(optimiser["lr"], float):
            assert optimiser["lr"].over == recipe.budget.steps


def test_samples_are_rows_of_tokens(model: Model) -> None:
    x = model.sample(5, seed=1)
    assert x.dtype == torch.int64
    assert x.shape == (5, model.event.longest)
    assert x.max() < model.event.classes
    ended = (x == 1).sum(1)
    assert (ended <= 1).all()
    assert torch.equal(x, model.sample(5, seed=1))
    assert not torch.equal(x, model.sample(5, seed=2))


def test_samples_of_another_temperature(model: Model, run: Path, tmp_path: Path) -> None:
    rng = model.generator(1)
    z = model.sample_latent(5, rng)
    greedy = model.decode(z, rng, likeliest=True)
    assert torch.equal(model.sample(5, seed=1, likeliest=True), greedy)
    assert torch.equal(model.sample(5, seed=1, temperature=1e-6), greedy)
    assert not torch.equal(model.sample(5, seed=1), greedy)
    assert torch.equal(model.sample(5, seed=1, temperature=1.0), model.sample(5, seed=1))
    with pytest.raises(SystemExit) as end:
        main(["sample", str(run), "-n", "5", "--seed", "1", "--likeliest", "--out", str(tmp_path / "x.npy")])
    assert end.value.code == 0
    assert np.array_equal(np.load(tmp_path / "x.npy"), greedy.numpy())


def test_a_decoder_that_is_too_short_for_the_data_is_refused(model: Model, tmp_path: Path) -> None:
    longest = model.codec.longest
    with pytest.raises(RecipeError, match=rf"longest: {longest - 1} of the decoder is less than the {longest} tokens"):
        tiny("molecule/zinc-lebm", tmp_path / "run", "budget.steps=1", f"generator.longest={longest - 1}")
    peptides = tmp_path / "peptides.smi"
    peptides.write_text("\n".join("N" + "CC(=O)N" * k + "C" for k in range(20, 40)))
    with pytest.raises(RecipeError, match=r"longest: 110 of the decoder is less than"):
        train(
            "molecule/zinc-lstm", "data.data={name: molecule/smiles-file, path: " + str(peptides) + "}", *TINY[2:],
            "density.longest=110", "budget.steps=1", out=tmp_path / "other", quiet=True,
        )  # fmt: skip


def test_an_old_run_without_a_longest_length_loads(model: Model, tmp_path_factory, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(tmp_path_factory.getbasetemp() / "molecule0" / "run", old)
    data = json.loads((old / "data.json").read_text())
    del data["event"]["longest"]
    (old / "data.json").write_text(json.dumps(data))
    text = (old / "recipe.yaml").read_text()
    assert "longest: null" in text
    (old / "recipe.yaml").write_text(text.replace("longest: null", "longest: 40"))
    assert load(old).sample(2).shape == (2, 40)


def test_inference_repeats_although_the_chains_of_learning_have_dropout(model: Model, smiles: Path) -> None:
    batch = model.codec.read(smiles)
    assert model.recipe.phases["posterior"]["nets"] == "train"
    one, other = (model.trainer.infer(batch, model.generator(3)) for _ in range(2))
    assert torch.equal(one, other)


def test_a_resumed_run_with_dropout_and_a_choice_of_route_ends_the_same(tmp_path: Path) -> None:
    """Measuring routes in train mode draws dropout's masks, and a resumed run does not measure again."""
    changes = [c for c in TINY if not c.startswith(("compute.fast", "checkpoint"))]
    changes += ["budget.steps=4", "checkpoint.every=2", f"players.generator={LSTM}", f"players.encoder={CONV}"]
    recipe = read_recipe("molecule/zinc-lebm", registry, changes)
    whole = train("molecule/zinc-lebm", *changes, out=tmp_path / "whole", quiet=True)
    same_end(whole, interrupted_run(recipe, tmp_path / "parts", 1, registry))


def test_samples_are_written_where_the_training_data_are_not(model: Model, tmp_path: Path, monkeypatch) -> None:
    def absent(self, split: str) -> None:
        raise DataError("not those that the model learned from")

    monkeypatch.setattr(type(model.data), "__getitem__", absent)
    facts = apply(model, "molecule/generate", None, tmp_path / "g.smi", n=4)
    assert facts["samples"] == 4
    assert "novel" not in facts
    with pytest.raises(UserError, match="n: at least 1, got 0"):
        apply(model, "molecule/generate", None, tmp_path / "g.smi", n=0)


def test_reconstruct(model: Model, smiles: Path, tmp_path: Path) -> None:
    facts = apply(model, "molecule/reconstruct", smiles, tmp_path / "r.csv", n=2)
    assert (facts["molecules"], facts["of"]) == (2, 3)
    rows = list(csv.DictReader((tmp_path / "r.csv").open()))
    assert [r["smiles"] for r in rows] == ["CCOc1ccccc1", "CC(=O)NC1CCCCC1"]
    with pytest.raises(UserError, match=r"name a file that ends in \.csv"):
        apply(model, "molecule/reconstruct", smiles, tmp_path / "r.smi", n=2)


def test_interpolate(model: Model, smiles: Path, tmp_path: Path) -> None:
    facts = apply(model, "molecule/interpolate", smiles, tmp_path / "i.smi", steps=3)
    assert (facts["points"], facts["molecules"], facts["of"]) == (4, 2, 3)
    assert len((tmp_path / "i.smi").read_text().splitlines()) == 4
    one = tmp_path / "one.smi"
    one.write_text("CCO\n")
    with pytest.raises(UserError, match="between two molecules"):
        apply(model, "molecule/interpolate", one, tmp_path / "j.smi")
    with pytest.raises(UserError, match="give it a file"):
        apply(model, "molecule/interpolate", None, tmp_path / "j.smi")


@pytest.mark.slow
def test_score_of_a_latent_model_and_of_a_density(model: Model, smiles: Path, tmp_path: Path) -> None:
    facts = apply(model, "molecule/score", smiles, tmp_path / "s.csv", draws=400)
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    assert len(rows) == 3
    assert facts["smallest ess"] > 20  # four dimensions and a decoder that hardly looks at them
    density = tiny("molecule/zinc-lstm", tmp_path / "lstm", "budget.steps=2", "density.width=16", "density.embedding=8")
    facts = apply(density, "molecule/score", smiles, tmp_path / "d.csv")
    x = density.codec.encode(["CCOc1ccccc1"])
    row = next(csv.DictReader((tmp_path / "d.csv").open()))
    exact = float(density.players["density"].log_prob(x).detach())
    assert float(row["log_probability"]) == pytest.approx(exact, abs=1e-3)
    with pytest.raises(UserError, match=r"draws: molecule/zinc-lstm has an exact log p\(x\)"):
        apply(density, "molecule/score", smiles, tmp_path / "d.csv", draws=400)
    with pytest.raises(UserError, match="no decoder from a latent vector"):
        apply(density, "molecule/reconstruct", smiles, tmp_path / "x.csv")


def test_a_warm_start_from_memory_and_a_transformer_need_no_other_trainer(tmp_path: Path) -> None:
    small = tiny(
        "molecule/zinc-lebm-published", tmp_path / "run", "budget.steps=3",
        "players.generator={name: molecule/transformer, width: 16, depth: 1, heads: 2}",
        "posterior.chains={name: memory, density: {name: gaussian}}", "posterior.steps=2", "budget.batch=8",
    )  # fmt: skip
    assert small.sample(2).shape == (2, small.codec.longest)


def test_properties_are_modelled_and_raised(smiles: Path, tmp_path: Path) -> None:
    joint = tiny(
        "molecule/zinc-property", tmp_path / "run", "budget.steps=3", f"players.generator={LSTM}",
        f"players.encoder={CONV}",
        "data.data.n=60", "prior.steps=5",
    )  # fmt: skip
    wanted = torch.tensor([[1.0, torch.nan]]).expand(4, -1)
    assert joint.sample(4, condition=wanted).shape == (4, joint.event.longest)
    for wrong in (wanted[:3], wanted[:, :1], wanted[:, 0]):
        with pytest.raises(UserError, match="the condition does not fit the model"):
            joint.sample(4, condition=wrong)
    before = {k: v.clone() for k, v in joint.players["energy"].state_dict().items()}
    # a net of three steps writes no molecules: let it write methane, ethane, ... and see that the loop turns
    joint.trainer.sample = lambda n, rng, condition: joint.codec.encode(
        ["C" * int(k) for k in torch.randint(1, 9, (n,), generator=rng)]
    )
    facts = apply(
        joint, "molecule/optimise", None, tmp_path / "o.csv", property="logp", rounds=3, n=16, keep=4, steps=2
    )
    rows = list(csv.DictReader((tmp_path / "o.csv").open()))
    assert rows[0]["smiles"] == "CCCCCCCC"  # logP grows with the chain
    assert float(rows[0]["logp"]) > float(rows[-1]["logp"])
    assert facts["rounds"] == 3
    assert any(not torch.equal(v, before[k]) for k, v in joint.players["energy"].state_dict().items())
    with pytest.raises(UserError, match="optimise takes no input"):
        apply(joint, "molecule/optimise", smiles, tmp_path / "o.csv", property="logp")
    with pytest.raises(UserError, match=r"not learned with weight \(it knows logp, qed\)"):
        apply(joint, "molecule/optimise", None, tmp_path / "o.csv", property="weight")


def test_a_graph_encoder_is_a_setting(smiles: Path, tmp_path: Path) -> None:
    graph = tiny(
        "molecule/zinc-lebm", tmp_path / "run", "budget.steps=2", f"players.generator={LSTM}", "data.data.view=graph",
        "players.encoder={name: molecule/graph-encoder, width: 8, depth: 2}",
    )  # fmt: skip
    facts = apply(graph, "molecule/reconstruct", smiles, tmp_path / "r.csv")
    assert facts["molecules"] == 3
