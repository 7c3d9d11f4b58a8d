"""A run is bound to its data: resumed with the same examples, or refused before anything is written."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ebmsuite.builtin.examples import INCOMPLETE_EXAMPLE, MLE_EXAMPLE
from ebmsuite.cli import main
from ebmsuite.dataset import InMemory, digest_of
from ebmsuite.errors import DataError, PluginError, UserError
from ebmsuite.experiment import provenance
from ebmsuite.experiment.run import Run
from ebmsuite.experiment.scoring import score
from ebmsuite.experiment.stored import read_log
from ebmsuite.experiment.train import train
from ebmsuite.hookspecs import hookimpl
from ebmsuite.model import load
from ebmsuite.plugins.conformance import same_end
from ebmsuite.plugins.discovery import Plugins
from ebmsuite.plugins.registry import Registry
from ebmsuite.plugins.testing import watched_by

QUIET = ("log.every=2", "checkpoint.every=4", watched_by("log", "guard"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return train(MLE_EXAMPLE, *QUIET, "budget.steps=4", out=tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("data.data.n=200", "data.data has 200 examples, the run had 256"),
        ("data.data.mean=2", "data.data has other examples"),
        ("data.data.sd=0.25", "data.data has other examples"),
        ("data.data.labels=true", "condition"),
        ("data.data.dim=2", "event shape entry 1|event shape has"),
    ],
)
def test_changed_data_are_refused_and_nothing_is_written(run: Path, change: str, said: str) -> None:
    before = contents(run)
    with pytest.raises(DataError, match=said) as error:
        train(None, change, "budget.steps=8", resume=run)
    assert "\n" not in str(error.value)
    assert contents(run) == before


def test_the_same_data_by_another_name_are_accepted(run: Path, tmp_path: Path) -> None:
    train(None, "data.data.hidden=0.0", "budget.steps=8", resume=run)
    whole = train(MLE_EXAMPLE, *QUIET, "budget.steps=8", out=tmp_path / "whole")
    same_end(run, whole)


def test_an_accepted_change_is_recorded_once(run: Path) -> None:
    train(None, "data.data.mean=2", "budget.steps=8", resume=run, allow_changed_data=True)
    events = [r for r in read_log(run / "metrics.jsonl") if r.get("event") == "data"]
    assert [e["step"] for e in events] == [4]
    assert "other examples" in events[0]["reason"]
    stored = json.loads((run / "data.json").read_text())
    assert stored["changed"] == events
    train(None, "budget.steps=12", resume=run)  # the recipe has the new mean: these are the run's data now
    with pytest.raises(DataError, match="other examples"):
        train(None, "data.data.mean=1", "budget.steps=16", resume=run)


def test_spaces_cannot_be_accepted(run: Path) -> None:
    before = contents(run)
    with pytest.raises(DataError, match="weights do not fit"):
        train(None, "data.data.dim=2", "budget.steps=8", resume=run, allow_changed_data=True)
    assert contents(run) == before


def test_accepting_belongs_to_resuming(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs --resume"):
        train(MLE_EXAMPLE, out=tmp_path / "run", allow_changed_data=True)


def test_the_flag_of_the_command(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--resume", str(run), "--quiet", "data.data.mean=2", "budget.steps=6"]
    with pytest.raises(SystemExit) as refused:
        main(words)
    assert refused.value.code == 2
    assert "accept the change with --allow-changed-data" in capsys.readouterr().err
    with pytest.raises(SystemExit) as accepted:
        main([*words, "--allow-changed-data"])
    assert accepted.value.code == 0
    assert "resumed with changed data" in capsys.readouterr().err


def test_chains_of_examples_are_never_given_to_others(tmp_path: Path) -> None:
    example = copy.deepcopy(INCOMPLETE_EXAMPLE)
    run = train(example, *QUIET, "budget.steps=4", out=tmp_path / "run")
    for change in ("data.data.n=200", "data.data.hidden=0.2"):
        with pytest.raises(DataError, match=r"data\.data has"):
            train(None, change, "budget.steps=8", resume=run)
    train(None, "data.data.n=200", "budget.steps=8", resume=run, allow_changed_data=True)
    chains = load(run).phases["recovered"].chains
    assert chains.x.shape[0] == 200  # started afresh, one per new example


@pytest.mark.parametrize("change", ["data.data.n=200", "data.data.hidden=0.2"])
def test_a_kill_after_an_accepted_change_gives_no_example_the_chain_of_another(change: str, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    class Kill:
        @hookimpl
        def ebm_step_end(self, run: Run, step: int) -> None:
            if step == 6:  # between the checkpoints of steps 4 and 8
                raise Killed

    run = train(INCOMPLETE_EXAMPLE, *QUIET, "budget.steps=4", out=tmp_path / "run")
    registry = Registry(Plugins())
    registry.plugins.load_all()
    registry.plugins.add(Kill(), "kill")
    with pytest.raises(PluginError, match="Killed"):
        train(None, change, "budget.steps=8", resume=run, allow_changed_data=True, registry=registry)
    load(run)  # the newest checkpoint has the chains of the old examples, and the model can be used
    train(None, "budget.steps=8", resume=run)
    killed = load(run)

    whole = train(INCOMPLETE_EXAMPLE, *QUIET, "budget.steps=4", out=tmp_path / "whole")
    train(None, change, "budget.steps=8", resume=whole, allow_changed_data=True)
    assert torch.equal(killed.phases["recovered"].chains.x, load(whole).phases["recovered"].chains.x)
    assert [r["step"] for r in read_log(run / "metrics.jsonl") if r.get("event") == "data"] == [4]
    same_end(run, whole)


@pytest.mark.parametrize("change", ["negative.chains.size=128", "negative.chains.size=32"])
def test_a_bank_of_another_size_is_refused(run: Path, change: str) -> None:
    before = contents(run)
    with pytest.raises(DataError, match=r"phases\.negative\.chains: the checkpoint has .* chains and the recipe"):
        train(None, change, "budget.steps=8", resume=run)
    assert contents(run) == before


def test_a_memory_of_another_number_of_examples_is_refused() -> None:
    from ebmsuite.density import Gaussian
    from ebmsuite.sampling import Memory
    from ebmsuite.space import Space

    memory = Memory(Gaussian(Space((1,))), 20)
    with pytest.raises(DataError, match="the checkpoint has 10 chains, and 20 examples"):
        memory.restore({"x": torch.zeros(10, 1), "seen": torch.ones(10, dtype=torch.bool)}, torch.device("cpu"))


def test_a_run_of_an_older_suite_is_compared_in_what_it_stored(run: Path) -> None:
    stored = json.loads((run / "data.json").read_text())
    stored.pop("streams")
    stored["event"].pop("longest")
    (run / "data.json").write_text(json.dumps(stored))
    with pytest.raises(DataError, match="200 examples, the run had 256"):
        train(None, "data.data.n=200", "budget.steps=8", resume=run)
    train(None, "budget.steps=8", resume=run)
    assert json.loads((run / "data.json").read_text()) == stored


@pytest.mark.parametrize("damage", [b"", b'{"event": {"sha', b"[]", b'{"event": null}', b"\xff\xfe\x00"])
def test_a_damaged_description_is_one_line(run: Path, damage: bytes) -> None:
    (run / "data.json").write_bytes(damage)
    for use in (lambda: load(run), lambda: train(None, "budget.steps=8", resume=run)):
        with pytest.raises(DataError, match=r"data\.json (cannot be read|is incomplete)") as error:
            use()
        assert "\n" not in str(error.value)


def test_a_vocabulary_and_fitted_statistics_are_compared() -> None:
    def described(**codec: Any) -> dict[str, Any]:
        return {"event": {"shape": [None]}, "condition": None, "codec": {"name": "some/codec", **codec}, "streams": {}}

    one = described(vocabulary=["C", "Cl", "N"], means=[0.1])
    for other, said in [
        (described(vocabulary=["C", "Br", "N"], means=[0.1]), 'codec vocabulary entry 2 is "Br", the run has "Cl"'),
        (described(vocabulary=["C", "N"], means=[0.1]), "codec vocabulary has 2 entries, the run has 3"),
        (described(vocabulary=["C", "Cl", "N"], means=[0.2]), "codec means entry 1 is 0.2, the run has 0.1"),
    ]:
        assert provenance.differences({**one, "examples": 3, "streams": {"data": {}}}, other) == ([said], [])


def test_a_digest_sees_every_example_their_order_and_what_goes_with_them() -> None:
    x = torch.randn(3000, 4)
    one = InMemory(x, torch.zeros(3000))
    changed = x.clone()
    changed[2999, 3] += 1e-6 * changed[2999, 3].abs().clamp(min=1)
    others = [
        InMemory(x[torch.randperm(3000)], torch.zeros(3000)),
        InMemory(changed, torch.zeros(3000)),
        InMemory(x, torch.ones(3000)),
        InMemory(x, torch.zeros(3000), known=torch.ones(3000, 4).bool()),
        InMemory(x[:2999], torch.zeros(2999)),
    ]
    digests = {d.digest() for d in [one, *others]}
    assert len(digests) == 6
    assert one.digest() == InMemory(x.clone(), torch.zeros(3000)).digest()
    assert digest_of("a", "bc") != digest_of("ab", "c")


def test_scores_on_other_data_say_so(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (run / "recipe.yaml").read_text()
    (run / "recipe.yaml").write_text(text.replace("n: 256", "n: 255"))
    model, registry = load(run), Registry()
    model.data["train"]
    found = score(model, {"name": "probe/mean", "label": None, "n": 10}, model.data, registry, 0)
    assert "255 examples, the run had 256" in found["probe/mean"].protocol["data changed since the run"]


class WithSkipped(InMemory):
    note = "3 of 5 rows"
    skipped = {"without a number": [f"line {i}" for i in range(7)], "too long": ["line 9"]}  # noqa: RUF012


def test_what_is_used_and_what_is_skipped_is_one_line() -> None:
    stream = provenance.describe_stream(WithSkipped(torch.zeros(3, 1)))
    assert provenance.line("data.data", stream) == (
        "data.data: 3 examples (3 of 5 rows); skipped "
        "7 without a number (line 0, line 1, line 2, line 3, line 4, ...), 1 too long (line 9)"
    )


def test_a_run_says_at_its_start_what_it_uses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(MLE_EXAMPLE, "budget.steps=2", out=tmp_path / "run")
    assert "data.data: 256 examples" in capsys.readouterr().err
