"""Folders and files: where they are, and that they are whole."""

import os
import pwd
import subprocess
import sys
import tempfile

import pytest

from ebmsuite.errors import UserError
from ebmsuite.files import LIBRARY_CACHES, cache_folder, output, settle_caches


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """No variable that names a folder; the temporary folder is tmp_path / "tmp"."""
    for name in ("EBMSUITE_CACHE", "XDG_CACHE_HOME", "HOME", "LOGNAME", "USER", "LNAME", "USERNAME", *LIBRARY_CACHES):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return monkeypatch


def nameless(monkeypatch):
    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_the_cache_is_where_the_first_variable_that_is_set_says(bare, tmp_path):
    bare.setenv("HOME", str(tmp_path))
    assert cache_folder("a", "b") == tmp_path / ".cache" / "ebmsuite" / "a" / "b"
    bare.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "ebmsuite"
    bare.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("a") == tmp_path / "xdg" / "ebmsuite" / "a"
    bare.setenv("EBMSUITE_CACHE", "~/own")
    assert cache_folder("a") == tmp_path / "own" / "a"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tmp"]  # nothing was made


def test_without_a_home_directory_the_cache_is_temporary_and_the_users_own(bare, tmp_path):
    own = tmp_path / "tmp" / f"ebmsuite-{os.getuid()}"
    bare.setenv("HOME", str(tmp_path / "missing"))
    assert cache_folder("a") == own / "a"
    bare.setenv("HOME", str(tmp_path))
    with bare.context() as closed:
        closed.setattr(os, "access", lambda path, mode: False)  # root may write anywhere, so this is simulated
        assert cache_folder("a") == own / "a"
    bare.delenv("HOME")
    nameless(bare)
    assert cache_folder("a") == own / "a"
    bare.setenv("EBMSUITE_CACHE", str(tmp_path / "named"))
    assert cache_folder("a") == tmp_path / "named" / "a"


def test_a_temporary_cache_of_another_user_is_refused(bare, tmp_path):
    nameless(bare)
    own = cache_folder()
    own.mkdir()
    assert cache_folder() == own
    user = os.getuid()
    bare.setattr(os, "getuid", lambda: user + 1)
    (tmp_path / "tmp" / f"ebmsuite-{user + 1}").mkdir()
    with pytest.raises(UserError, match="belongs to another user; set EBMSUITE_CACHE"):
        cache_folder()


@pytest.mark.parametrize("home", ["good", "missing", None])
@pytest.mark.parametrize("named", [True, False])
def test_libraries_are_given_a_cache_where_there_is_no_home_or_name(bare, tmp_path, home, named):
    if home is not None:
        bare.setenv("HOME", str(tmp_path if home == "good" else tmp_path / home))
    if named:
        bare.setenv("USER", "someone")
    else:
        nameless(bare)
    if home is None and named:
        pytest.skip("the home directory of this machine's password database decides")
    bare.setenv("TORCH_HOME", "chosen")
    settle_caches()
    found = {name: os.environ.get(name) for name in LIBRARY_CACHES}
    wanted = {name: str(cache_folder(folder)) for name, folder in LIBRARY_CACHES.items()}
    ordinary = home == "good" and named
    assert found == (dict.fromkeys(LIBRARY_CACHES) if ordinary else wanted) | {"TORCH_HOME": "chosen"}


NAMELESS = """
import pwd, sys
def unknown(uid): raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = unknown
sys.argv = ["ebm", *sys.argv[1:]]
from ebmsuite.cli import main
main()
"""


@pytest.mark.slow
def test_a_run_with_pictures_and_a_report_needs_no_home_and_no_name(tmp_path):
    """`env -i`, no HOME and a user id without a name: a container started with --user."""
    changes = ["budget.steps=2", "render.0.n=16", "metrics=[]", "width=8", "batch=32"]
    kept = {k: os.environ[k] for k in ("PATH", "PYTHONPATH", "OMP_NUM_THREADS") if k in os.environ}
    kept["TMPDIR"] = str(tmp_path / "tmp")
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", NAMELESS, "train", "toy/rings", *changes, "--out", "run"], env=kept, cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()
    assert "Matplotlib" not in done.stderr
    assert (tmp_path / "tmp" / f"ebmsuite-{os.getuid()}" / "matplotlib").is_dir()


def test_an_output_that_a_task_can_write_is_given_back(tmp_path):
    for name in ("x.png", "x.PNG", "missing/x.png"):
        assert output(tmp_path / name, ".png", "inpaint") == tmp_path / name
    assert output(tmp_path / "x.gif", (".png", ".gif"), "film") == tmp_path / "x.gif"
    assert list(tmp_path.iterdir()) == []  # nothing is made


@pytest.mark.parametrize(
    ("name", "endings", "message"),
    [
        ("x.jpg", ".png", r'x\.jpg has the ending "\.jpg", and inpaint writes .* name a file that ends in \.png$'),
        ("x", (".csv", ".png"), r"x has no file ending, .* ends in \.csv or \.png$"),
        ("x.", (".csv", ".png", ".svg"), r"x\. has .* ends in \.csv, \.png or \.svg$"),
        ("folder.png", ".png", r"folder\.png is a folder, .* ends in \.png$"),
        (os.fsdecode(b"\xe9.txt"), ".csv", r'\\xe9\.txt has the ending "\.txt"'),
    ],
)
def test_an_output_that_a_task_cannot_write_is_one_line(tmp_path, name, endings, message):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match=message) as error:
        output(tmp_path / name, endings, "inpaint")
    assert "\n" not in str(error.value)
