"""What a long computation says of itself."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest
import torch

import ebmsuite.progress
from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.cli import main
from ebmsuite.energy import Energy
from ebmsuite.experiment.train import train
from ebmsuite.plugins.testing import watched_by
from ebmsuite.progress import hide, part, progress, remaining, show
from ebmsuite.sampling import HMC, Langevin, target_of, warm_up
from ebmsuite.sampling import run as run_chains


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Flat(Energy):
    def forward(self, x, condition=None):
        return x.square().flatten(1).sum(1) / 2


def test_without_a_terminal_there_is_a_line_every_ten_seconds() -> None:
    out, clock = io.StringIO(), Clock()
    with show(out, clock), progress("chains", 40) as advance:
        for _ in range(40):
            clock.now += 1
            advance(1)
    assert out.getvalue().splitlines() == [
        "chains 25%, about 30 s left", "chains 50%, about 20 s left", "chains 75%, about 10 s left",
        "chains 100%, about 0 s left",
    ]  # fmt: skip


def test_what_is_short_says_nothing() -> None:
    out, clock = io.StringIO(), Clock()
    with show(out, clock):
        for _ in range(20):
            with progress("chains", 2) as advance:
                clock.now += 4
                advance(1)
                advance(1)
            clock.now += 9
    assert out.getvalue() == ""


def test_jobs_nest_and_the_outermost_says_what_is_left() -> None:
    out, clock = io.StringIO(), Clock()
    with show(out, clock), progress("cases", 4) as case:
        for _ in range(2):
            with progress("steps", 10) as step:
                for _ in range(10):
                    clock.now += 1.5
                    step(1)
            case(1)
    assert out.getvalue().splitlines() == [
        "cases 0%: steps 70%, about 4 s left", "cases 25%: steps 40%, about 63 s left",
    ]  # fmt: skip


def test_a_part_of_a_job_advances_with_the_job_inside_it() -> None:
    """So the remaining time falls while the inner job runs, and ends right where the inner job stops early."""
    out, clock = io.StringIO(), Clock()
    with show(out, clock), progress("whole", 100) as advance:
        clock.now += 4
        advance(20)
        with part(80), progress("inner", 8) as inner:
            for _ in range(7):
                clock.now += 2
                inner(1)
        assert ebmsuite.progress._display is not None
        assert ebmsuite.progress._display.jobs[0].done == 100
    assert out.getvalue().splitlines() == ["whole 50%: inner 38%, about 10 s left"]


def test_nothing_is_shown_where_nobody_asked() -> None:
    out, clock = io.StringIO(), Clock()
    with progress("chains", 2) as advance:
        advance(1)
    with show(out, clock):
        with hide(), progress("chains", 2) as advance:
            clock.now += 100
            advance(1)
        with progress("nothing to do", 0) as advance:
            advance(1)
    assert out.getvalue() == ""


def test_on_a_terminal_there_are_bars_for_what_is_not_short() -> None:
    out, clock = Terminal(), Clock()
    with show(out, clock), progress("short", 2) as advance:
        clock.now += 0.5
        advance(1)
    assert out.getvalue() == ""
    with show(out, clock), progress("outer", 2) as advance, progress("inner", 3) as inner:
        clock.now += 2
        inner(1)
        advance(1)
    text = out.getvalue()
    assert "outer" in text
    assert "inner" in text
    assert "short" not in text


def test_a_failure_ends_the_display() -> None:
    out, clock = Terminal(), Clock()
    with show(out, clock):
        with suppress(ZeroDivisionError), progress("outer", 2) as advance:
            clock.now += 2
            advance(1)
            _ = 1 / 0
        assert ebmsuite.progress._display is not None
        assert ebmsuite.progress._display.jobs == []
        assert ebmsuite.progress._display.bars is None


def test_the_time_that_is_left_in_words() -> None:
    assert remaining(0, 10, 5) == ""
    assert remaining(1, 10, 1) == "9 s"
    assert remaining(1, 10, 60) == "9 min"
    assert remaining(1, 10, 3600) == "9.0 h"
    assert remaining(12, 10, 3) == "0 s"


def test_chains_and_their_adaptation_say_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ebmsuite.progress, "EVERY", 0.0)
    x, rng = torch.zeros(4, 2), torch.Generator().manual_seed(0)
    out = io.StringIO()
    with show(out):
        run_chains(Langevin(step_size=0.1), target_of(Flat(), x), x, 4, rng)
        warm_up(HMC(0.1), target_of(Flat(), x), x, 30, rng)
    lines = out.getvalue().splitlines()
    assert [line.partition(",")[0] for line in lines[:4]] == ["chains 25%", "chains 50%", "chains 75%", "chains 100%"]
    assert lines[-1].startswith("warm-up 100%")


@pytest.mark.slow
def test_commands_show_progress_and_learning_keeps_its_own(tmp_path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(ebmsuite.progress, "EVERY", 0.0)
    run = train(MLE_EXAMPLE, watched_by("log"), out=tmp_path / "run")
    assert capsys.readouterr().err == ""
    commands = {
        "sample": ["-n", "10", "--out", str(tmp_path / "x.npy")], "diagnose": ["--times", "2", "--no-log-z"],
        "evaluate": ["probe/mean", "n=20"],
    }  # fmt: skip
    for command, rest in commands.items():
        with pytest.raises(SystemExit) as exit:
            main([command, str(run), *rest])
        err = capsys.readouterr().err
        assert exit.value.code == 0, err
        if command == "diagnose":
            assert "diagnose: about " in err
        assert {"sample": "chains 20%", "diagnose": "diagnose 50%", "evaluate": "metrics 100%"}[command] in err
