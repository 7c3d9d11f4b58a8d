"""What RDKit is asked, and the work that is spread over processes and remembered."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rdkit import Chem

from ebmsuite_molecule import chemistry, workers
from ebmsuite_molecule.chemistry import anatomy, canonical, fragments, parse, property_of, reason, scaffold
from ebmsuite_molecule.data import zinc250k

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


@pytest.mark.parametrize(
    "smiles",
    ["", " ", "C C", "CC name", "C1CC", "c1cccc1", "CC(", "[", "C[Xx]", ".", "*", "*C", "[*:1]CC", "[0*]", "C~C", "Cé"],
)
def test_what_is_no_molecule(smiles: str) -> None:
    assert parse(smiles) is None
    assert reason(smiles)


def test_reasons_say_what_is_wrong() -> None:
    assert reason(ASPIRIN) == ""
    assert reason("") == "empty"
    assert "blank" in reason("CC ethane")
    assert reason("C1CC") == "ring 1 is not closed"
    assert reason("C%12CC") == "ring 12 is not closed"
    assert reason("CC(C") == "1 opening and 0 closing parentheses"
    assert "bracket" in reason("C[NH")
    assert "kekulize" in reason("c1cccc1")
    assert "valence" in reason("CC(C)(C)(C)C")
    assert reason("*CC") == "a dummy atom (*)"
    assert reason("C~C") == "a bond of any order (~)"
    assert reason("CC…") == "the character '\\u2026', which no SMILES has"
    assert reason("C" * 2001) == "2,001 characters, of at most 2,000"


def test_the_log_of_rdkit_is_silent_inside_and_not_elsewhere(capfd: pytest.CaptureFixture[str]) -> None:
    parse("C1CC")
    reason("c1cccc1")
    assert capfd.readouterr().err == ""
    Chem.MolFromSmiles("C1CC")
    assert "C1CC" in capfd.readouterr().err


def test_known_properties() -> None:
    molecule = parse(ASPIRIN)
    assert molecule is not None
    assert property_of(molecule, "logp") == pytest.approx(1.3101, abs=1e-4)
    assert property_of(molecule, "qed") == pytest.approx(0.5501, abs=1e-4)
    assert property_of(molecule, "weight") == pytest.approx(180.159, abs=1e-2)


@pytest.mark.parametrize(
    ("smiles", "score"),  # of the test that comes with the scorer
    [
        ("OC(c1ccncc1)c1ccc(OCC[NH+]2CCCC2)cc1", 3.822),
        ("CC12CCC3C(CCC4CC(=O)CCC43C)C1CCC2=O", 3.912),
        ("COc1ccccc1OC(=O)c1ccccc1", 1.342),
    ],
)
def test_synthetic_accessibility_is_that_of_its_authors(smiles: str, score: float) -> None:
    molecule = parse(smiles)
    assert molecule is not None
    assert property_of(molecule, "sa") == pytest.approx(score, abs=1e-3)


@pytest.mark.parametrize("smiles", ["C", "[H][H]", "[Na+].[Cl-]", "[He]", "O=O", "[C]", "[U]"])
def test_odd_molecules_have_an_anatomy(smiles: str) -> None:
    parts, core, bits, values = anatomy(smiles)
    assert parts
    assert core == ""
    assert all(0 <= bit < chemistry.BITS for bit in bits)
    assert len(values) == len(chemistry.PROPERTIES)
    assert all(v == v and abs(v) < 1e6 for v in values)


def test_scaffolds_and_fragments() -> None:
    biphenyl, benzene = parse("Cc1ccc(-c2ccccc2)cc1CO"), parse("Cc1ccccc1")
    assert biphenyl is not None
    assert benzene is not None
    assert scaffold(biphenyl) == "c1ccc(-c2ccccc2)cc1"
    assert scaffold(benzene) == ""  # one ring is none, as in MOSES
    amide = parse("CC(=O)NCC")
    assert amide is not None
    assert sorted(fragments(amide)) == ["[1*]C(C)=O", "[4*]CC", "[5*]N[5*]"]


@pytest.mark.slow
def test_several_processes_give_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    strings = [*zinc250k("test", n=40).strings, "", "C1CC"]
    alone = workers.each("canonical", strings)
    monkeypatch.setattr(workers, "_WORTH_A_PROCESS", 10)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    assert workers.each("canonical", strings) == alone
    assert alone[-2:] == ["", ""]
    with pytest.raises(RuntimeError, match=r"ValueError: .* is no molecule: "):
        workers.each("anatomy", strings)


def test_the_longest_strings_pass_in_a_mebibyte_of_stack() -> None:
    longest = ["C" * 2_000, "C(" * 660 + "C" + ")" * 660, "C1" + "C" * 1_996 + "1", "C=C" * 660, "C1CC1" * 400]
    job = f"""
import threading
from ebmsuite_molecule.workers import JOBS
threading.stack_size(1 << 20)
thread = threading.Thread(target=lambda: print([bool(JOBS["canonical"](s)) for s in {longest!r}]))
thread.start()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", job], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str([True] * 5)


def test_long_work_is_remembered_on_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers, "_WORTH_A_FILE", -1.0)
    monkeypatch.setattr(workers, "_remembered", {})
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path / "cache"))
    assert workers.each("canonical", ["OCC"], remember=True) == ["CCO"]
    (file,) = (tmp_path / "cache" / "molecule").iterdir()
    file.write_bytes(gzip.compress(json.dumps(["of the file"]).encode()))
    assert workers.each("canonical", ["OCC"], remember=True) == ["CCO"]  # of the process
    workers._remembered.clear()
    assert workers.each("canonical", ["OCC"], remember=True) == ["of the file"]
    workers._remembered.clear()
    file.write_bytes(b"damaged")
    assert workers.each("canonical", ["OCC"], remember=True) == ["CCO"]
    assert f"{file} cannot be read" in caplog.text


def test_a_cache_that_cannot_be_written_is_said_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers, "_WORTH_A_FILE", -1.0)
    monkeypatch.setattr(workers, "_remembered", {})
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EBMSUITE_CACHE", str(tmp_path / "file"))
    assert workers.each("canonical", ["OCC"], remember=True) == ["CCO"]
    assert workers.each("canonical", ["OC"], remember=True) == ["CO"]
    assert caplog.text.count("computed again at every start") == 1


def test_canonical_forms_are_one_a_molecule() -> None:
    forms = {canonical(m) for s in ("OCC", "C(C)O", "[CH3][CH2]O") if (m := parse(s)) is not None}
    assert forms == {"CCO"}
