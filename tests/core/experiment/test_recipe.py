"""Recipes: completed, re-runnable, every key settable, every mistake named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import yaml

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.errors import RecipeError
from ebmsuite.experiment.build import Experiment
from ebmsuite.experiment.recipe import parse_setting, read_recipe
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import watched_by
from ebmsuite.ranks import Ranks
from ebmsuite.schedule import Schedule

registry = Registry()


def read(*overrides: str, budget: str | None = None, **changes: object):
    return read_recipe({**MLE_EXAMPLE, **changes}, registry, overrides, budget)


def test_the_stored_recipe_is_complete_and_gives_itself(tmp_path: Path) -> None:
    recipe = read("energy.lr={start: 0.1, end: 0.01, over: 100, shape: exponential}")
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.as_yaml())
    again = read_recipe(file, registry)
    assert again == recipe
    assert again.optimisers["energy"]["betas"] == (0.9, 0.999)
    assert again.trainer == {"name": "mle", "data_noise": 0.0, "energy_l2": 0.0}
    assert again.optimisers["energy"]["lr"] == Schedule(0.1, 0.01, 100, "exponential")


@pytest.mark.parametrize(
    ("terms", "trainer"),
    [
        ({"gradient_penalty": 0.0, "kl": 0.0, "entropy": 0.0}, {"name": "mle"}),
        ({"gradient_penalty": 0.0, "kl": 1.0, "entropy": 0.3},
         {"name": "improved-cd", "kl": 1.0, "entropy": 0.3, "gradient_penalty": 0.0}),
        ({"gradient_penalty": 0.1}, {"name": "improved-cd", "kl": 0.0, "entropy": 0.0, "gradient_penalty": 0.1}),
    ],
)  # fmt: skip
def test_recipes_of_earlier_runs_keep_their_meaning(terms: dict, trainer: dict) -> None:
    stored = {**MLE_EXAMPLE, "trainer": {"name": "mle", "data_noise": 0.03, "energy_l2": 0.0, **terms}}
    assert read_recipe(stored, registry).trainer == {"data_noise": 0.03, "energy_l2": 0.0, **trainer}


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("budget.steps=7", ("budget", "steps"), 7),
        ("negative.steps=3", ("phases", "negative", "steps"), 3),
        ("step_size=1e-2", ("phases", "negative", "sampler", "step_size"), 0.01),
        ("data_noise=0.03", ("trainer", "data_noise"), 0.03),
        ("fresh=1", ("phases", "negative", "chains", "fresh"), 1.0),
        ("optimisers.energy.clip=null", ("optimisers", "energy", "clip"), None),
        ("density.sd=2", ("phases", "negative", "chains", "density", "sd"), 2.0),
        ("negative.sampler={name: langevin, gradient_weight: 1, noise_scale: 0.01}",
         ("phases", "negative", "sampler", "noise_scale"), 0.01),
        ("watch.0.name=log", ("watch", 0, "name"), "log"),
    ],
)  # fmt: skip
def test_any_unique_end_of_a_key_sets_it(override, path, value) -> None:
    found = yaml.safe_load(read(override).as_yaml())
    for part in path:
        found = found[part]
    assert found == value


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("negative.stpes=3", r"no key \"negative.stpes\".*did you mean phases.negative.steps"),
        ("steps=3", r"could be (phases.negative.steps|budget.steps).*write more"),
        ("budget.steps=many", r"budget.steps: expected a whole number, got 'many'"),
        ("budget.steps=1.5", r"budget.steps: expected a whole number"),
        ("step_size=[1]", r"sampler.step_size: expected a number or Schedule or null"),
        ("precision=fp16", r"'fp16' is not one of fp32, bf16"),
        ("budget.steps", r"not of the form key=value"),
        ("budget.batch=0", r"budget.batch: must be at least 1"),
        ("compute.devices=3", r"budget.batch: 16 cannot be divided among 3"),
        ("players.energy.name=mlpp", r'no energy "mlpp"; did you mean mlp'),
    ],
)
def test_a_wrong_key_or_value_is_named(override, message) -> None:
    with pytest.raises(Exception, match=message):
        read(override)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"traner": {}}, r"traner: no such key; did you mean trainer"),
        ({"trainer": {"name": "mle", "energy_l3": 1}}, r"trainer.energy_l3.*did you mean trainer.energy_l2"),
        ({"players": {"energi": {"name": "mlp"}}}, r'players.energi: the trainer has no player "energi"; did you mean'),
        ({"phases": {}}, r'phases.negative: the trainer needs the phase "negative"'),
        ({"optimisers": {"energy": {"name": "adam"}}}, r"optimisers.energy.lr: .* needs a value for lr"),
        ({"data": {"data": {"name": "normal", "n": "x"}}}, r"data.data.n: expected a whole number"),
        ({"metrics": {"name": "x"}}, r"metrics: must be a list"),
    ],
)
def test_a_wrong_recipe_is_refused(changes, message) -> None:
    with pytest.raises(RecipeError, match=message):
        read(**changes)


def test_budgets() -> None:
    budgets = {"quick": {"budget.steps": 3, "negative.steps": 1}}
    assert read(budgets=budgets, budget="quick").budget.steps == 3
    assert read(budgets=budgets, budget="full").budget.steps == 12
    assert read("budget.steps=5", budgets=budgets, budget="quick").budget.steps == 5
    with pytest.raises(RecipeError, match=r'no budget "fast"; there are: full, quick'):
        read(budgets=budgets, budget="fast")


SCORED = {"metrics": [{"name": "probe/mean", "every": 4}], "checkpoint": {"every": 4, "best": "probe/mean"}}


@pytest.mark.parametrize(
    "changes",
    [
        ("metrics=[]", "checkpoint.best=null"),
        ("metrics.0.every=6", "checkpoint.every=3"),
        ("compute.devices=3", "budget.batch=9"),
        ("metrics.0.label=distance", "checkpoint.best=distance"),
    ],
)
def test_changes_that_need_each_other_are_checked_together(changes) -> None:
    """On the command line in any order, and in a budget."""
    recipe = read(*changes, **SCORED)
    assert read(*reversed(changes), **SCORED) == recipe
    assert read(budget="small", budgets={"small": dict(map(parse_setting, changes))}, **SCORED) == recipe
    with pytest.raises(RecipeError, match=r"^mle-example: (checkpoint\.best|budget\.batch): "):
        read(changes[0], **SCORED)


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        (("players.energy.name=mlp", "energy.width=3"), "players.energy.width", 3),
        (("negative.sampler={name: mala}", "sampler.step_size=0.3"), "phases.negative.sampler.step_size", 0.3),
        (("data.data={name: normal}", "data.data.dim=3"), "data.data.dim", 3),
        (("energy.lr={start: 0.1, end: 0.2, over: 5}", "lr.delay=2"), "optimisers.energy.lr.delay", 2),
        (("metrics=[{name: probe/mean}]", "metrics.0.every=3"), "metrics.0.every", 3),
        (("watch=[{name: tensorboard}]", "watch.1.gap=5"), "watch.1.gap", 5.0),
        (
            ("trainer={name: probe/cooperative}", "players.generator={name: mlp}", "generator.width=3", "latent=2",
             "optimisers.generator={name: adam, lr: 1}", "negative.chains={name: proposal}"),
            "players.generator.width", 3,
        ),
    ],
)  # fmt: skip
def test_keys_that_an_earlier_change_brings_can_be_set(changes, path, value) -> None:
    found = yaml.safe_load(read(*changes).as_yaml())
    for part in path.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]
    assert found == value


def test_a_recipe_may_lack_what_the_command_line_gives() -> None:
    without = {**MLE_EXAMPLE, "budget": {"batch": 16}, "optimisers": {"energy": {"name": "adam"}}}
    given = ("budget.steps=3", "energy.lr=0.1")
    assert read_recipe(without, registry, given) == read(*given, "energy.ema=null")
    with pytest.raises(RecipeError, match=r"optimisers.energy.lr: .* needs a value for lr"):
        read_recipe(without, registry, given[:1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("players.energy.name=mlpp", "energy.width=3"), r'no energy "mlpp"; did you mean mlp'),
        (("metrics=[{name: probe/men}]", "metrics.0.set=test"), r'no metric "probe/men"; did you mean probe/mean'),
        (("metrics=[]", "checkpoint.bets=null"), r'no key "checkpoint.bets"; did you mean checkpoint.best'),
        (("metrics=[]", "budget.steps=many", "checkpoint.best=null"), "budget.steps: expected a whole number"),
    ],
)
def test_a_mistake_among_several_changes_is_named(changes, message) -> None:
    with pytest.raises(Exception, match=message):
        read(*changes, **SCORED)


@pytest.mark.parametrize(
    ("changes", "messages"),
    [
        (("energy.widht=3", "budgt.steps=2"), ['no key "energy.widht"', 'no key "budgt.steps"; did you mean budget']),
        (("nonsense", "budget.steps=many"), ['"nonsense" is not of the form key=', "budget.steps: expected a whole"]),
        (("energy.widht=3", "negative.sampler={name: langevn}"), ['no key "energy.widht"', 'no sampler "langevn"']),
        (("energy.lr=fast", "energy.clip=x", "data.data.n=1.5"),
         ["optimisers.energy.lr: expected", "optimisers.energy.clip: expected", "data.data.n: expected a whole"]),
        (("budget.steps=many", "budget.batch=x", "seed=a"),
         ["budget.steps: expected", "budget.batch: expected", "seed: expected"]),
        (("log.every=0", "budget.batch=0", "budget.steps=-1"),
         ["budget.batch: must be at least 1", "log.every: must be at least 1", "budget.steps: must not be negative"]),
        (("negative.sampler={name: langevn}", "negative.chains={name: buffr}", "negative.nets=of"),
         ['no sampler "langevn"', 'no chains "buffr"', "phases.negative.nets: 'of' is not one of"]),
        # what only follows from a change that could not be made is not reported
        (("energy.lrr=1", "optimisers={energy: {name: adam}}"), ['no key "energy.lrr"', "energy.lr: .* needs a value"]),
    ],
)  # fmt: skip
def test_all_wrong_changes_are_reported_together(changes, messages) -> None:
    with pytest.raises(RecipeError) as caught:
        read(*changes)
    said = str(caught.value)
    assert said.startswith(f"mle-example: {len(messages)} errors: (1) ")
    for message in messages:
        assert re.search(message, said), said


def test_what_follows_from_a_wrong_change_is_not_reported() -> None:
    with pytest.raises(RecipeError) as caught:  # without the misspelled change, checkpoint.best names no metric
        read("metrics=[]", "checkpoint.bets=null", **SCORED)
    assert str(caught.value).count("checkpoint.best") == 1


def test_a_budget_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"budgets.quick: must be a mapping of keys to values"):
        read(budgets={"quick": 100}, budget="quick")


# -- callbacks -------------------------------------------------------------------------------------------------------


def watched(*overrides: str, **changes: object) -> list:
    return yaml.safe_load(read(*overrides, **changes).as_yaml())["watch"]


DEFAULT = watched()


def test_the_suites_callbacks_are_on_by_default() -> None:
    assert [spec["name"] for spec in DEFAULT] == ["log", "guard", "progress", "report"]
    assert all("enabled" not in spec for spec in DEFAULT)
    assert watched(watch=[]) == DEFAULT
    assert watched(watch=DEFAULT) == DEFAULT  # the resolved recipe of a run means itself


@pytest.mark.parametrize(
    ("watch", "expected"),
    [
        ([{"name": "tensorboard"}], [*DEFAULT, {"name": "tensorboard"}]),
        ([{"name": "guard", "gap": 5.0}], [DEFAULT[0], {**DEFAULT[1], "gap": 5.0}, *DEFAULT[2:]]),
        ([{"name": "progress", "enabled": False}], [*DEFAULT[:2], {"name": "progress", "enabled": False}, DEFAULT[3]]),
        ([{"name": "tensorboard", "enabled": True}, {"name": "log"}], [*DEFAULT, {"name": "tensorboard"}]),
    ],
)
def test_an_entry_adds_changes_or_turns_off(watch, expected) -> None:
    assert watched(watch=watch) == expected
    assert watched(watch=expected) == expected
    assert watched(f"watch={watch}") == expected


def test_a_callback_is_turned_off_from_the_command_line() -> None:
    assert watched("watch.2.enabled=false", watch=[{"name": "tensorboard"}]) == [
        *DEFAULT[:2], {"name": "progress", "enabled": False}, DEFAULT[3], {"name": "tensorboard"},
    ]  # fmt: skip
    assert watched(watched_by("guard"))[1] == DEFAULT[1]
    assert [spec["name"] for spec in watched(watched_by()) if spec.get("enabled", True)] == []


@pytest.mark.parametrize(
    ("watch", "message"),
    [
        ([{"name": "guard"}, {"name": "guard", "gap": 1}], r'watch.1: "guard" is in the list twice'),
        ([{"name": "progress", "enabled": "no"}], r"watch.2.enabled: expected true or false, got 'no'"),
        (["progress"], r"watch.0 must be \{name: <callback>"),
        ({"name": "log"}, r"watch: must be a list"),
        ([{"name": "tensorbord"}], r'no callback "tensorbord"; did you mean tensorboard'),
    ],
)
def test_a_wrong_watch_list_is_refused(watch, message) -> None:
    with pytest.raises(Exception, match=message):
        read(watch=watch)


# -- files ----------------------------------------------------------------------------------------------------------


def test_yaml_mistakes_name_the_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("trainer: {name: mle}\ndata: [1, 2\n")
    with pytest.raises(RecipeError, match=r"mine.yaml: .*line"):
        read_recipe(file, registry)
    file.write_text("seed: 1\nseed: 2\n")
    with pytest.raises(RecipeError, match=r'mine.yaml: .*"seed" is given twice'):
        read_recipe(file, registry)


def test_numbers_that_contradict_each_other() -> None:
    import torch

    from ebmsuite.experiment.build import Experiment
    from ebmsuite.ranks import Ranks

    recipe = read("temperature=2", "noise_scale=1")
    with pytest.raises(RecipeError, match=r"phases.negative: .*temperature and noise_scale"):
        Experiment.with_data(recipe, registry, torch.device("cpu"), Ranks())


# -- samplers and what they sample -----------------------------------------------------------------------------------

WORDS = ("data.data={name: probe/words}", "chains={name: noise, density: {name: categorical}}")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (WORDS, r"phases.negative.sampler: \"langevin\" moves along gradients.*use gibbs-with-gradients"),
        (("negative.sampler={name: gibbs-with-gradients}",), "moves one-hot events, but the events are real"),
        (
            ("players.energy={name: probe/coupled}", "negative.sampler={name: mala, step_size: 0.1}", "nets=train"),
            r"phases.negative.nets: in train mode batch statistics couple the chains, but \"mala\"",
        ),
        (("negative.sampler={name: hmc, step_size: 0.1, leapfrog: 0}",), "phases.negative: hmc: leapfrog must be"),
    ],
)
def test_a_sampler_that_does_not_fit_is_refused_before_the_first_step(overrides, message) -> None:
    with pytest.raises(RecipeError, match=message):
        Experiment.with_data(read(*overrides), registry, torch.device("cpu"), Ranks())


@pytest.mark.parametrize(
    "sampler",
    [
        "{name: mala, step_size: 0.5}",
        "{name: hmc, step_size: 0.3}",
        "{name: nuts, step_size: 0.3}",
        "{name: annealed-langevin, step_size: 0.3, over: 4}",
        "{name: parallel-tempering, kernel: {name: mala, step_size: 0.5}}",
        "{name: descent, gradient_weight: 0.1}",
    ],
)
def test_every_sampler_learns_from_a_recipe(sampler: str) -> None:
    recipe = read(f"negative.sampler={sampler}", "budget.steps=2")
    assert read_recipe(yaml.safe_load(recipe.as_yaml()), registry) == recipe
    experiment = Experiment.with_data(recipe, registry, torch.device("cpu"), Ranks())
    rng = torch.Generator().manual_seed(0)
    for t in range(2):
        experiment.set_step(t)
        logs = experiment.trainer.step(t, {"data": experiment.streams["data"].batch(t)}, rng)
        assert all(torch.isfinite(v) for v in logs.values())
    experiment.close()


def test_one_hot_events_learn_with_gibbs_with_gradients() -> None:
    recipe = read(*WORDS, "players.energy={name: mlp, width: 8}", "negative.sampler={name: gibbs-with-gradients}")
    experiment = Experiment.with_data(recipe, registry, torch.device("cpu"), Ranks())
    rng = torch.Generator().manual_seed(0)
    experiment.trainer.step(0, {"data": experiment.streams["data"].batch(0)}, rng)
    x = experiment.trainer.sample(7, rng)
    assert x.shape == (7, 5, 3)
    assert (x.sum(-1) == 1).all()
    experiment.close()
