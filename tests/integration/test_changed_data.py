"""Files that change between the start of a run and its resumption, in every domain that reads a user's files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ebmsuite.errors import DataError
from ebmsuite.experiment.train import train
from ebmsuite.model import load
from ebmsuite.plugins.testing import watched_by

QUIET = ("metrics=[]", "render=[]", watched_by("log"), "checkpoint.every=2", "log.every=2", "compute.fast=eager")
MOLECULES = [f"{'C' * i}{end}" for end in ("N", "Cl", "C(C)N", "C(Cl)N") for i in range(1, 9)]
SHORT_RUN = "image/digits-short-run"
PICTURES = ("players.energy.width=4", "negative.steps=2", "budget.batch=8")
STRINGS = (
    "density.embedding=8", "density.width=16", "density.longest=40", "budget.batch=8", "budget.steps=2",
)  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(run: Path, said: str, *changes: str) -> None:
    before = contents(run)
    with pytest.raises(DataError, match=said) as error:
        train(None, *changes, "budget.steps=4", resume=run, quiet=True)
    assert "\n" not in str(error.value)
    assert contents(run) == before


def molecules(tmp_path: Path) -> tuple[Path, Path]:
    file = tmp_path / "own.smi"
    file.write_text("\n".join(MOLECULES) + "\n")
    data = f"data.data={{name: molecule/smiles-file, path: {file}}}"
    return file, train("molecule/zinc-lstm", data, *STRINGS, *QUIET, out=tmp_path / "run", quiet=True)


def test_a_vocabulary_of_the_same_size_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    file, run = molecules(tmp_path)
    file.write_text(file.read_text().replace("Cl", "Br"))
    refused(run, 'codec vocabulary entry . is "Br", the run has')
    codec = load(run).codec
    assert codec.decode(codec.encode(["CC(Cl)N"])) == ["CC(Cl)N"]  # the old checkpoints still mean what they meant


def test_a_vocabulary_of_another_size_leaves_the_run_usable(tmp_path: Path) -> None:
    file, run = molecules(tmp_path)
    file.write_text(file.read_text() + "CBr\nCCBr\nCCCBr\nCCCCBr\nCCCCCBr\nCCCCCCBr\n")
    refused(run, "codec vocabulary has . entries, the run has")
    assert len(load(run).sample(3)) == 3


def test_other_molecules_of_the_same_vocabulary_are_refused(tmp_path: Path) -> None:
    file, run = molecules(tmp_path)
    file.write_text("\n".join(reversed([*MOLECULES[:-6], "CCCCCCCCCCCCN"])) + "\n")
    refused(run, "examples|longest")


def pictures(tmp_path: Path, n: int = 60) -> tuple[Path, Path]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(n):
        Image.fromarray(np.full((8, 8), 4 * i, np.uint8)).save(folder / f"{i:03}.png")
    data = f"data.data={{name: image/folder, path: {folder}, size: 16, channels: 1}}"
    return folder, train(
        "image/digits-short-run", data, *PICTURES, *QUIET, "budget.steps=2", out=tmp_path / "run", quiet=True
    )


def test_a_folder_with_fewer_pictures_is_refused(tmp_path: Path) -> None:
    folder, run = pictures(tmp_path)
    examples = json.loads((run / "data.json").read_text())["examples"]
    for file in sorted(folder.iterdir())[:20]:
        file.unlink()
    refused(run, f"examples, the run had {examples}")


def test_a_picture_that_was_replaced_or_renamed_is_noticed(tmp_path: Path) -> None:
    folder, run = pictures(tmp_path)
    one = folder / "020.png"
    kept = one.read_bytes()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8), np.uint8)).save(one)
    refused(run, "other examples")
    one.write_bytes(kept)
    train(None, "budget.steps=3", resume=run, quiet=True)  # as it was
    one.rename(folder / "020b.png")
    refused(run, "examples")


def test_a_subset_of_a_public_data_set_is_not_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(n: int) -> None:
        rng = np.random.default_rng(0)
        for part in ("train", "test"):
            x, y = rng.integers(0, 255, (n, 28, 28)).astype(np.uint8), np.arange(n) % 10
            np.savez(tmp_path / "image" / f"mnist_{part}.npz", x=x, y=y)

    (tmp_path / "image").mkdir()
    monkeypatch.setenv("EBMSUITE_DATA", str(tmp_path))
    write(2000)
    data = "data.data={name: image/mnist, size: 16}"
    run = train(SHORT_RUN, data, *PICTURES, *QUIET, "budget.steps=2", out=tmp_path / "run", quiet=True)
    write(500)
    refused(run, "450 examples, the run had 1,800")
