"""What machines do to runs: full disks, files damaged by a crash, file systems without locks."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors import SafetensorError

import ebmsuite.experiment.checkpoints
import ebmsuite.experiment.lock
from ebmsuite.builtin.examples import MLE_EXAMPLE
from ebmsuite.cli import main
from ebmsuite.errors import DataError, DiskFull, PluginError, RecipeError, UserError
from ebmsuite.evaluation.report import write_report
from ebmsuite.evaluation.suite import evaluate
from ebmsuite.experiment.checkpoints import checkpoint_steps
from ebmsuite.experiment.lock import lock
from ebmsuite.experiment.stored import read_log
from ebmsuite.experiment.train import train
from ebmsuite.files import full_disk, replacing, write_text, writing
from ebmsuite.hookspecs import hookimpl
from ebmsuite.model import load
from ebmsuite.plugins.conformance import same_end
from ebmsuite.plugins.registry import Registry

QUIET = ("log.every=2", "checkpoint.every=4", "checkpoint.keep=9", "watch=[{name: log}]")
FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    SafetensorError("I/O error: No space left on device (os error 28)"),
    SafetensorError("I/O error: Disk quota exceeded (os error 122)"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    return train(MLE_EXAMPLE, *QUIET, out=tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "run"))


def steps(run: Path) -> list[int]:
    return checkpoint_steps(run / "checkpoints")


# -- full disks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", FULL, ids=lambda error: str(error))
def test_a_full_disk_is_named_with_the_file(error: Exception, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    path.parent.mkdir()
    path.write_text("before")
    assert full_disk(error)

    def write() -> None:
        with replacing(path) as aside:
            aside.write_text("half")
            raise error

    with pytest.raises(DiskFull, match=rf"{path}: cannot be written, the disk .* is full \(.*MiB are free\)") as found:
        write()
    assert found.value.errno == errno.ENOSPC
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    assert path.read_text() == "before"


def test_other_errors_are_not_full_disks(tmp_path: Path) -> None:
    for error in (OSError(errno.EIO, "Input/output error"), SafetensorError("(os error 281)"), ValueError("28")):
        assert not full_disk(error)
        with pytest.raises(type(error)), writing(tmp_path):
            raise error


@pytest.mark.slow
@pytest.mark.parametrize(("error", "at"), list(zip(FULL, range(4), strict=True)))
def test_a_checkpoint_that_does_not_fit_leaves_the_one_before_it(
    error: Exception, at: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file, calls = ebmsuite.experiment.checkpoints.save_file, 0

    def fails(tensors, path):
        nonlocal calls
        calls += 1
        if calls == 6 * at + 3:  # six files a checkpoint: the third of the checkpoint of step 4 * at
            path.write_bytes(b"half")
            raise error
        save_file(tensors, path)

    out = tmp_path / "run"
    with monkeypatch.context() as full:
        full.setattr(ebmsuite.experiment.checkpoints, "save_file", fails)
        with pytest.raises(DiskFull, match=r"players.safetensors: cannot be written.*ebm train --resume .*run$"):
            train(MLE_EXAMPLE, *QUIET, out=out)
    assert steps(out) == [0, 4, 8, 12][:at]
    assert not list((out / "checkpoints").glob(".*"))
    if at:
        assert load(out).step == 4 * (at - 1)
    train(resume=out)
    same_end(whole, out)


@pytest.mark.slow
def test_a_log_that_does_not_fit_has_no_half_row(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    class Full:
        """Takes ten bytes of a row, then none."""

        def __init__(self, file) -> None:
            self.file, self.left = file, 10

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *what) -> None:
            self.file.close()

        def write(self, data) -> int:
            if self.left == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.left = 0
            return self.file.write(data[:10])

    real = Path.open

    def opened(path, mode="r", *rest, **options):
        file = real(path, mode, *rest, **options)
        return Full(file) if path.name == "metrics.jsonl" and "a" in mode and path.stat().st_size > 300 else file

    out = tmp_path / "run"
    with monkeypatch.context() as full:
        full.setattr(Path, "open", opened)
        with pytest.raises(DiskFull, match=r"metrics.jsonl: cannot be written"):
            train(MLE_EXAMPLE, *QUIET, out=out)
    assert (out / "metrics.jsonl").read_text().endswith("\n")
    assert read_log(out / "metrics.jsonl")
    train(resume=out)
    same_end(whole, out)
    assert [r["step"] for r in read_log(out / "metrics.jsonl")] == [2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize("hook", ["ebm_step_end", "ebm_checkpoint_saved", "ebm_run_end"])
def test_a_hook_that_meets_a_full_disk_is_not_blamed(hook: str, tmp_path: Path) -> None:
    def fails(self, run):
        raise OSError(errno.ENOSPC, "No space left on device")

    callback = type("Writes", (), {hook: hookimpl(fails)})()
    registry = Registry()
    registry.plugins.load_all()
    registry.plugins.add(callback, "writes")
    try:
        with pytest.raises(OSError, match=r"space|full") as found:
            train(MLE_EXAMPLE, *QUIET, out=tmp_path / "run", registry=registry)
    finally:
        registry.plugins.remove(callback)
    assert not isinstance(found.value, PluginError)
    assert full_disk(found.value)


def test_what_ended_a_run_is_its_error_and_not_the_report_after_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Fails:
        @hookimpl
        def ebm_step_end(self, step):
            if step == 6:
                raise ValueError("the first error")

        @hookimpl
        def ebm_run_end(self):
            raise ValueError("the second error")

    callback, registry = Fails(), Registry()
    registry.plugins.load_all()
    registry.plugins.add(callback, "fails")
    try:
        with pytest.raises(PluginError, match="the first error"):
            train(MLE_EXAMPLE, *QUIET, out=tmp_path / "run", registry=registry)
    finally:
        registry.plugins.remove(callback)
    assert "the second error" in caplog.text


def test_a_disk_without_a_file_name_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path) -> None:
    def fails(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ebmsuite.evaluation.report.write_report", fails)
    with pytest.raises(SystemExit) as exit:
        main(["report", str(tmp_path)])
    assert exit.value.code == 2
    assert capsys.readouterr().err == "ebm: a file: No space left on device\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("this user may not mount")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.slow
def test_a_run_that_fills_a_disk_goes_on_when_there_is_space(small_disk: Path, capsys) -> None:
    recipe = small_disk.parent / "recipe.yaml"
    write_text(recipe, json.dumps({**MLE_EXAMPLE, "players": {"energy": {"name": "mlp", "width": 64}}}))
    changes = ("checkpoint.every=4", "checkpoint.keep=99", "energy.lr=1e-3", "budget.steps=40")
    with pytest.raises(SystemExit) as exit:
        main(["train", str(recipe), *changes, "--out", str(small_disk / "run")])
    assert exit.value.code == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ebm: ")]
    assert len(said) == 1
    assert f"the disk {small_disk}, or your quota on it, is full" in said[0]
    last = load(small_disk / "run").step
    assert last < 40
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    train(resume=small_disk / "run")
    same_end(train(recipe, *changes, out=small_disk.parent / "whole"), small_disk / "run")


# -- damaged files -------------------------------------------------------------------------------------------------


def test_a_damaged_choice_of_routes_is_named(run: Path) -> None:
    file = run / "fast.json"
    for content in (b'{"negative": {"cpu fl', b"\x00" * 40, b"[1]", b'{"negative": {"a": "warp"}}',
                    b'{"other": {"a": "eager"}}', b'{"negative": 3}', b"\xff\xfe"):  # fmt: skip
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"fast.json: cannot be read .*measure again.*not match bit for bit"):
            train(None, "budget.steps=14", resume=run)
    file.unlink()
    train(None, "budget.steps=14", resume=run)
    assert steps(run)[-1] == 14


@pytest.mark.parametrize("damage", ["cut in a value", "cut in a key", "cut in the seed", "empty", "NUL", "bytes"])
def test_a_damaged_recipe_of_a_run_is_named(damage: str, run: Path) -> None:
    file = run / "recipe.yaml"
    whole = file.read_bytes()
    file.write_bytes({
        "cut in a value": whole[: len(whole) // 2], "cut in a key": whole[: whole.index(b"checkpoint:") + 5],
        "cut in the seed": whole[:-1], "empty": b"", "NUL": whole.replace(b"mle", b"\x00\x00\x00", 1),
        "bytes": whole.replace(b"mle", b"\xff\xfe\xfd", 1),
    }[damage])  # fmt: skip
    for use in (lambda: train(resume=run), lambda: load(run), lambda: evaluate(run)):
        with pytest.raises((DataError, RecipeError), match=r"recipe.yaml"):
            use()
    file.unlink()
    for use in (lambda: train(resume=run), lambda: load(run), lambda: write_report(run)):
        with pytest.raises(DataError, match="not a run folder"):
            use()


@pytest.mark.parametrize("content", ['{"step": 12, "lr_fac', "", "\x00\x00", "[]", "{}", '{"step": 12}'])
def test_a_damaged_state_of_a_checkpoint_is_named(content: str, run: Path) -> None:
    file = run / "checkpoints" / "step-00000012" / "run.json"
    file.write_text(content)
    with pytest.raises(DataError, match=rf"{file}: cannot be read .*delete the folder {file.parent}"):
        train(None, "budget.steps=14", resume=run)


@pytest.mark.parametrize("line", [b"\x00" * 30, b'{"step": 4, "ga', b"nonsense", b"[4]", b'{"gap": 1}', b"\xff\xfe{}"])
def test_a_damaged_line_of_the_log_is_left_out_with_its_number(
    line: bytes, run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = run / "metrics.jsonl"
    lines = log.read_bytes().splitlines()
    log.write_bytes(b"\n".join([lines[0], line.ljust(len(lines[1]))[: len(lines[1])], *lines[2:], b""]))
    for _ in range(2):
        assert [r["step"] for r in read_log(log)] == [2, 6, 8, 10, 12]
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len([text for text in said if "metrics.jsonl, line 2: damaged" in text]) == 1
    write_report(run)


@pytest.mark.parametrize("lost", [1, 40, 10_000])
def test_a_log_that_lost_its_end_is_not_filled_up(lost: int, run: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = run / "metrics.jsonl"
    log.write_bytes(log.read_bytes()[:-lost])
    train(None, "budget.steps=16", resume=run)
    assert "metrics.jsonl: its whole rows end at byte" in caplog.text
    assert b"\x00" not in log.read_bytes()
    assert [r["step"] for r in read_log(log)][-2:] == [14, 16]
    assert "damaged" not in caplog.text


# -- locks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES])
def test_a_folder_that_is_locked_is_refused(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuses)
    with pytest.raises(UserError, match="another process is running in it"):
        lock(tmp_path)


@pytest.fixture(params=[errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO, None])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system, or a system, that cannot lock files."""

    def cannot(file, how):
        raise OSError(request.param, os.strerror(request.param))

    if request.param is None:
        monkeypatch.setattr(ebmsuite.experiment.lock, "fcntl", None)
    else:
        monkeypatch.setattr(fcntl, "flock", cannot)


@pytest.mark.usefixtures("no_locks")
def test_without_locks_a_file_names_the_owner(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    held = lock(tmp_path)
    assert len(caplog.records) == 1
    assert "files cannot be locked here" in caplog.text
    stored = json.loads((tmp_path / ".lock.owner").read_text())
    assert stored["pid"] == os.getpid()
    with pytest.raises(UserError, match=rf"in use by process {os.getpid()} on .*delete {tmp_path}/.lock.owner"):
        lock(tmp_path)
    held.close()
    assert not (tmp_path / ".lock.owner").exists()
    lock(tmp_path).close()


def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("locks", [True, False])
@pytest.mark.parametrize("who", ["ended", "number used again", "running", "another host", "another container",
                                 "unreadable", "empty"])  # fmt: skip
def test_the_file_of_an_owner_that_ended_is_taken_over(
    who: str, locks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if not locks:
        monkeypatch.setattr(ebmsuite.experiment.lock, "fcntl", None)
    owner = ebmsuite.experiment.lock._owner(os.getpid())
    owner |= {
        "ended": {"pid": ended()}, "number used again": {"started": "1"}, "another host": {"host": "elsewhere"},
        "another container": {"processes": "pid:[1]"},
    }.get(who, {})  # fmt: skip
    text = {"unreadable": '{"host": "a', "empty": ""}.get(who, json.dumps(owner))
    (tmp_path / ".lock.owner").write_text(text)
    if who in ("ended", "number used again"):
        lock(tmp_path).close()
        assert "has ended; this process takes the folder over" in caplog.text
    else:
        with pytest.raises(UserError, match=rf"in use by .*; if that process has ended, delete {tmp_path}/.lock.owner"):
            lock(tmp_path)
        assert (tmp_path / ".lock.owner").read_text() == text
