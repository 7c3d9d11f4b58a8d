"""The recipes learn, and a learned model is put to every task, metric and renderer, on the embedded verses."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
import torch

from ebmsuite.errors import UserError
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.experiment.train import train
from ebmsuite.model import Model, load
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import assert_conforms, watched_by

registry = Registry()
TINY = (
    "data.data={name: text/verses, n: 300, words: 200}", "latent=4", "log.every=2", watched_by("log"), "metrics=[]",
    "render=[]", "compute.device=cpu", "compute.fast=eager", "checkpoint.every=4", "budget.batch=16", "budget.steps=4",
)  # fmt: skip
LSTM = "{name: lstm, embedding: 8, width: 16, dropout: 0.1}"
GRU = "{name: gru-encoder, embedding: 8, width: 8}"
NETS = (f"players.generator={LSTM}", f"players.encoder={GRU}")


def tiny(recipe: str, out: Path, *more: str) -> Model:
    return load(train(recipe, *TINY, *more, out=out, quiet=True))


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    return tiny("text/verses-lebm", tmp_path_factory.mktemp("text") / "run", *NETS, "phases.prior.steps=3")


def apply(model: Model, task: str, inputs: Path | None, out: Path, **settings: object) -> dict:
    spec = registry.fill("task", {"name": task, **settings}, task)
    return registry.build("task", spec)(model, inputs, out, model.generator(0))


def measure(model: Model, n: int, metric: str, **settings: object) -> dict:
    spec = registry.fill("metric", {"name": metric, **settings}, metric)
    return registry.build("metric", spec)(model, model.data, model.generator(0), n)


@pytest.mark.slow
def test_the_plugin_conforms() -> None:
    pytest.importorskip("transformers")
    assert_conforms("text", fast=True)


@pytest.mark.parametrize("budget", [None, "quick"])
@pytest.mark.parametrize("domain", ["verses", "ptb"])
@pytest.mark.parametrize("name", ["lebm", "vae", "lstm", "lebm-published", "gpt2"])
def test_recipes_are_complete(domain: str, name: str, budget: str | None) -> None:
    if (domain, name) not in (("verses", "lebm-published"), ("ptb", "gpt2")):
        read_recipe(f"text/{domain}-{name}", registry, budget=budget)


@pytest.mark.slow
def test_gpt2_as_decoder_and_as_language_model(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    nets = ("players.generator={name: text/gpt2, width: 16, depth: 1, heads: 2}", NETS[1])
    made = tiny("text/verses-gpt2", tmp_path / "one", *nets, "phases.prior.steps=3")
    assert measure(made, 20, "text/perplexity")["reverse"].value > 1
    chains = ("phases.posterior.steps=2", "phases.prior.steps=2")
    assert tiny("text/ptb-lebm-published", tmp_path / "two", nets[0], *chains).sample(2).shape[0] == 2
    plain = "players.density={name: text/gpt2, width: 16, depth: 1, heads: 2}"
    assert tiny("text/verses-lstm", tmp_path / "three", plain).sample(2).shape[0] == 2


def test_published_chains_learn_on_verses_and_warn_about_their_temperatures(tmp_path: Path, caplog) -> None:
    made = tiny(
        "text/ptb-lebm-published", tmp_path / "run", NETS[0], "phases.posterior.steps=2", "phases.prior.steps=2"
    )
    assert made.sample(2).shape == (2, made.event.longest)
    assert "temperature" in caplog.text


def test_published_chains_can_start_from_an_encoder(tmp_path: Path) -> None:
    made = tiny(
        "text/ptb-lebm-published", tmp_path / "run", *NETS, "optimisers.encoder={name: adam, lr: 1.0e-3}",
        "phases.posterior.chains={name: proposal}", "phases.posterior.steps=2", "phases.prior.steps=2",
    )  # fmt: skip
    assert measure(made, 20, "text/latent").keys() == {"gain", "own", "kl", "active"}


def test_perplexities_of_the_model_and_of_its_decoder_with_other_priors(model: Model) -> None:
    values = {}
    for of in ("model", "held-out", "training", "n-gram", "normal", "fitted-normal", "posterior"):
        scores = measure(model, 40, "text/perplexity", of=of)
        values[of] = scores["reverse"].value
        facts = scores["reverse"].protocol
        assert facts["of"] == of
        assert facts["judge"] == "trigram"
        assert facts["unknown_words"] == pytest.approx(model.data["train"].unknown)
        assert scores["reverse"].low < scores["reverse"].value < scores["reverse"].high
    assert values["training"] < values["model"]  # four steps are not enough


def test_variety_counts_copies(model: Model) -> None:
    copies = measure(model, 30, "text/variety", of="training")
    assert copies["copied"].value == copies["copied-5-grams"].value == 1
    made = measure(model, 30, "text/variety")
    assert made["copied"].value < 1
    assert 0 < made["distinct-2"].value <= 1


def test_use_of_the_latent_vector(model: Model) -> None:
    scores = measure(model, 50, "text/latent")
    assert {"gain", "own", "kl", "active"} == set(scores)
    assert scores["kl"].value >= 0
    assert scores["active"].protocol["of_coordinates"] == 4


def test_generate(model: Model, tmp_path: Path) -> None:
    facts = apply(model, "text/generate", None, tmp_path / "a.txt", n=5)
    assert facts["texts"] == 5
    assert len((tmp_path / "a.txt").read_text().splitlines()) == 5
    assert apply(model, "text/generate", None, tmp_path / "b.csv", n=3, likeliest=True)["decoding"] == "likeliest"
    for settings, said in (
        ({"n": 0}, "n: at least 1"), ({"label": "law"}, "not conditional"), ({"temperature": 0}, "temperature")
    ):  # fmt: skip
        with pytest.raises(UserError, match=said):
            apply(model, "text/generate", None, tmp_path / "c.txt", **settings)
    with pytest.raises(UserError, match=r"\.txt, \.jsonl or \.csv"):
        apply(model, "text/generate", None, tmp_path / "c.pdf")
    with pytest.raises(UserError, match="takes no input"):
        apply(model, "text/generate", tmp_path / "a.txt", tmp_path / "c.txt")


def test_interpolate_between_samples_and_between_texts(model: Model, tmp_path: Path) -> None:
    facts = apply(model, "text/interpolate", None, tmp_path / "a.csv", pairs=2, points=3)
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert (facts["pairs"], facts["points"], len(rows)) == (2, 3, 6)
    assert [(row["pair"], row["point"]) for row in rows[2:4]] == [("1", "3"), ("2", "1")]
    file = tmp_path / "some.txt"
    file.write_text("and the lord said .\nand they were .\nand\n")
    assert apply(model, "text/interpolate", file, tmp_path / "b.txt", points=4)["texts"] == 2
    assert len((tmp_path / "b.txt").read_text().splitlines()) == 4
    file.write_text("and the lord said .\n")
    for inputs, out, said in ((file, "c.txt", "goes between two texts"), (None, "c.pdf", r"\.txt, \.jsonl or \.csv")):
        with pytest.raises(UserError, match=said):
            apply(model, "text/interpolate", inputs, tmp_path / out)


def test_generate_texts_of_a_class(tmp_path: Path) -> None:
    given = "data.data={name: text/verses, n: 300, words: 200, conditional: true}"
    one = tiny("text/verses-lebm", tmp_path / "run", *NETS, "phases.prior.steps=3", given)
    assert apply(one, "text/generate", None, tmp_path / "a.txt", n=4, label="law")["texts"] == 4
    with pytest.raises(UserError, match="label: one of law, history"):
        apply(one, "text/generate", None, tmp_path / "a.txt", n=4)
    assert measure(one, 20, "text/perplexity")["reverse"].value > 1


@pytest.mark.slow
def test_scores_of_texts(model: Model, tmp_path: Path) -> None:
    file = tmp_path / "some.txt"
    file.write_text("and the lord said .\nand they were .\n")
    facts = apply(model, "text/score", file, tmp_path / "a.csv", draws=64)
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [row["text"] for row in rows] == ["and the lord said .", "and they were ."]
    assert all(float(row["log_probability"]) < 0 and 1 <= float(row["ess"]) <= 64 for row in rows)
    # four steps: the likelihood is still near that of uniform tokens
    assert float(rows[0]["log_probability"]) == pytest.approx(-6 * math.log(201), rel=0.2)
    assert facts["texts"] == 2
    with pytest.raises(UserError, match="give it a file"):
        apply(model, "text/score", None, tmp_path / "a.csv")


def test_scores_are_exact_without_a_latent_vector(tmp_path: Path) -> None:
    made = tiny("text/verses-lstm", tmp_path / "run", f"players.density={LSTM}")
    file = tmp_path / "some.txt"
    file.write_text("and the lord said .\n")
    apply(made, "text/score", file, tmp_path / "a.csv")
    value = float(next(csv.DictReader((tmp_path / "a.csv").open()))["log_probability"])
    with torch.no_grad():
        assert value == pytest.approx(float(made.players["density"].log_prob(made.codec.read(file).x)), abs=1e-3)
    with pytest.raises(UserError, match="takes no draws"):
        apply(made, "text/score", file, tmp_path / "a.csv", draws=8)
    with pytest.raises(UserError, match="no latent vector"):
        apply(made, "text/interpolate", None, tmp_path / "a.txt")
    with pytest.raises(UserError, match="no latent vector"):
        measure(made, 10, "text/latent")
    with pytest.raises(UserError, match="no latent vector"):
        measure(made, 10, "text/perplexity", of="posterior")


def test_the_bound_of_an_auto_encoder_is_scored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = tiny("text/verses-vae", tmp_path / "run", *NETS)
    file = tmp_path / "some.txt"
    file.write_text("and the lord said .\n")
    facts = apply(made, "text/score", file, tmp_path / "a.csv", draws=64)
    assert float(facts["log Z"].split()[0]) == pytest.approx(2 * math.log(2 * math.pi), abs=0.01)  # of exp(-|z|^2 / 2)
    assert facts["smallest ess"] > 5  # the posterior is near the prior
    assert facts["ess of log Z"] == "200 of 200"
    assert "effective sample size" not in caplog.text
    apply(made, "text/score", file, tmp_path / "a.csv", draws=4)
    assert "1 of 1 texts have an effective sample size below 5" in caplog.text


def test_pictures(model: Model, tmp_path: Path) -> None:
    for name, files in (
        ("text/samples", {"samples.png", "samples.txt"}),
        ("text/transition", {"transition.png", "transition.csv"}),
    ):
        made = registry.build("renderer", registry.fill("renderer", {"name": name}, name))
        assert {p.name for p in made(model, tmp_path, model.generator(0), 4)} == files
    rows = list(csv.DictReader((tmp_path / "transition.csv").open()))
    assert {int(row["step"]) for row in rows} == {0, 1, 2, 3}
