"""What the environment says of launchers, and what cluster jobs and notebooks leave behind."""

from __future__ import annotations

import os
import time

import pytest

from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.cli import main
from ebmsuite.errors import UserError
from ebmsuite.experiment import launch
from ebmsuite.experiment.launch import Place, check, place, waiting
from ebmsuite.experiment.recipe import read_recipe
from ebmsuite.files import write_text
from ebmsuite.plugins.registry import Registry

MEETING = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
LEFT_OVER = [
    {"WORLD_SIZE": "4"},
    {"PMI_SIZE": "2"},
    {"PMI_SIZE": "2", "PMI_RANK": "1"},
    {"RANK": "3"},
    {"WORLD_SIZE": "4", "RANK": "1"},
    {"WORLD_SIZE": "four"},
    {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "2"},
    {"WORLD_SIZE": "2", **MEETING},
    {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "node1"},
]
ALONE = [
    {},
    {"RANK": "0", "WORLD_SIZE": "1"},
    {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", **MEETING},
    {"SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_JOB_ID": "17", "SLURM_NNODES": "2"},
    {"LOCAL_RANK": "2"},
    MEETING,
]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """Puts variables into an environment that has none of a launcher."""

    def put(variables: dict[str, str]) -> None:
        for name in launch.LEFT_OVER:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize("variables", [*LEFT_OVER, *ALONE], ids=str)
def test_a_part_of_a_launchers_variables_does_not_make_several_processes(
    variables: dict[str, str], environment, tmp_path, capsys
) -> None:
    """The run is that of one process, is reported as its, and a left-over is named once."""
    environment(variables)
    recipe = tmp_path / "recipe.yaml"
    write_text(recipe, read_recipe(MLE_EXAMPLE, Registry(), ["budget.steps=2"]).as_yaml())
    assert place() is None
    with pytest.raises(SystemExit) as exit:  # a process of several leaves by another way
        main(["train", str(recipe), "--out", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    assert exit.value.code == 0
    assert out == f"{tmp_path / 'run'}\n"
    assert "1 process; run folder" in err
    said = [line for line in err.splitlines() if "is ignored: this is a single process" in line]
    if variables in ALONE:
        assert not said
    else:
        assert len(said) == 1
        name = next(n for n, v in variables.items() if n.endswith(("SIZE", "RANK")) and v not in ("0", "1"))
        assert f"{name}={variables[name]}" in said[0]
        with pytest.raises(SystemExit):
            main(["train", str(recipe), "--out", str(tmp_path / "run")])
        assert "already holds a run" in capsys.readouterr().err


@pytest.mark.parametrize("pair", launch.PAIRS)
def test_a_complete_set_is_one_of_several(pair: tuple[str, str], environment) -> None:
    environment({pair[0]: "1", pair[1]: "3", **MEETING})
    assert place() == check() == Place(1, 3)


@pytest.mark.parametrize("change", [{"RANK": "4"}, {"RANK": "-1"}, {"RANK": "one"}, {"WORLD_SIZE": "0"},
                                    {"MASTER_PORT": "port"}, {"MASTER_PORT": "99999"}])  # fmt: skip
def test_a_complete_set_that_contradicts_itself_is_an_error(change: dict[str, str], environment, capsys) -> None:
    environment({"RANK": "1", "WORLD_SIZE": "4", **MEETING, **change})
    ((name, value),) = change.items()
    with pytest.raises(UserError, match=rf"the environment has .*{name}={value}.*unset"):
        check()
    assert place() is None
    with pytest.raises(SystemExit) as exit:
        main(["train", "toy/rings", "budget.steps=2", "--out", os.devnull])
    assert exit.value.code == 2
    assert f"{name}={value}" in capsys.readouterr().err


def test_a_process_that_waits_for_others_says_so(environment, caplog) -> None:
    environment({"RANK": "1", "WORLD_SIZE": "4", **MEETING})
    with waiting(Place(1, 4), seconds=60):
        pass
    with waiting(Place(1, 4), seconds=0.0):
        deadline = time.monotonic() + 30
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)
    (record,) = caplog.records
    assert "process 1 of 4 waits for the others at 127.0.0.1:29500" in record.getMessage()


@pytest.mark.slow
def test_several_processes_are_started_whatever_was_left_over(environment, tmp_path, capfd) -> None:
    environment({"RANK": "0", "WORLD_SIZE": "1", "PMI_SIZE": "5", "PMI_RANK": "3", "LOCAL_RANK": "7"})
    recipe = tmp_path / "recipe.yaml"
    write_text(recipe, read_recipe(MLE_EXAMPLE, Registry(), ["budget.steps=2", "watch=[{name: progress}]"]).as_yaml())
    with pytest.raises(SystemExit) as exit:
        main(["train", str(recipe), "--devices", "2", "--device", "cpu", "--out", str(tmp_path / "run")])
    out, err = capfd.readouterr()
    assert exit.value.code == 0, err
    assert "2 processes; run folder" in err
    assert out == f"{tmp_path / 'run'}\n"
