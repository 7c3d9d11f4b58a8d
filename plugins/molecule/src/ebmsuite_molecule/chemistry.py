"""Molecules by RDKit: parsing, canonical form, properties, scaffolds, fragments and fingerprints.

Nothing here knows of tensors or tokens. RDKit's own log is silent inside `quiet` and nowhere else.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, TypeAlias, cast

import rdkit
from rdkit import Chem, RDConfig, rdBase
from rdkit.Chem import QED, Descriptors, rdFingerprintGenerator, rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

__all__ = [
    "BITS",
    "PROPERTIES",
    "RADIUS",
    "VERSION",
    "Anatomy",
    "Mol",
    "Property",
    "anatomy",
    "canonical",
    "fingerprint",
    "fragments",
    "parse",
    "property_of",
    "quiet",
    "reason",
    "scaffold",
]

Mol: TypeAlias = Chem.Mol

Property = Literal["logp", "qed", "sa", "weight"]
PROPERTIES: tuple[Property, ...] = ("logp", "qed", "sa", "weight")

VERSION: str = rdkit.__version__
"""Of RDKit: canonical forms and the rules of sanitisation change with it."""

RADIUS, BITS = 2, 1024
"""Of Morgan fingerprints, as in MOSES (Polykovskiy et al. 2020)."""


def quiet() -> AbstractContextManager[Any]:
    """A context in which RDKit logs nothing."""
    return cast("AbstractContextManager[Any]", rdBase.BlockLogs())


def parse(smiles: str) -> Mol | None:
    """The molecule that a SMILES says, sanitised; None when it says none.

    RDKit takes the empty string for a molecule without atoms, and what follows a blank for a name: both are no
    molecule here.
    """
    if not smiles or any(c.isspace() for c in smiles):
        return None
    with quiet():
        molecule = Chem.MolFromSmiles(smiles)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def reason(smiles: str) -> str:
    """Why `parse` makes nothing of a string, in words; empty when it does."""
    if not smiles:
        return "empty"
    if any(c.isspace() for c in smiles):
        return "a blank inside"
    if parse(smiles) is not None:
        return ""
    with quiet():
        raw = Chem.MolFromSmiles(smiles, sanitize=False)
        problems = [] if raw is None else [p.Message() for p in Chem.DetectChemistryProblems(raw)]
    if problems:
        return " ".join(str(problems[0]).split())
    return _syntax(smiles) or "no SMILES"


def canonical(molecule: Mol) -> str:
    """RDKit's canonical SMILES, with stereochemistry."""
    return str(Chem.MolToSmiles(molecule))


def property_of(molecule: Mol, name: Property) -> float:
    """One number of a molecule.

    ``logp``: Crippen's estimate of the octanol-water partition coefficient. ``qed``: drug-likeness in 0..1
    (Bickerton et al. 2012). ``sa``: synthetic accessibility from 1, easy, to 10 (Ertl and Schuffenhauer 2009).
    ``weight``: average molecular weight in daltons.
    """
    return float(_PROPERTY[name](molecule))


def scaffold(molecule: Mol) -> str:
    """SMILES of the Bemis-Murcko scaffold; empty when it has fewer than two rings (the definition of MOSES)."""
    core: Mol = MurckoScaffold.GetScaffoldForMol(molecule)  # type: ignore[no-untyped-call]
    return canonical(core) if core.GetRingInfo().NumRings() >= 2 else ""


def fragments(molecule: Mol) -> list[str]:
    """SMILES of the fragments between BRICS bonds (Degen et al. 2008), with numbered stubs, each as often as it is."""
    with quiet():
        return canonical(Chem.FragmentOnBRICSBonds(molecule)).split(".")


def fingerprint(molecule: Mol) -> list[int]:
    """Numbers of the bits, in 0..`BITS` - 1, that are set in the Morgan fingerprint of radius `RADIUS`."""
    return list(_morgan().GetFingerprint(molecule).GetOnBits())


Anatomy: TypeAlias = tuple[list[str], str, list[int], list[float]]
"""Fragments, scaffold, fingerprint bits and the values of `PROPERTIES`."""


def anatomy(smiles: str) -> Anatomy:
    """What sets of molecules are compared by, of one parse. `ValueError` when it is no molecule."""
    molecule = parse(smiles)
    if molecule is None:
        raise ValueError(f"{smiles!r} is no molecule: {reason(smiles)}")
    values = [property_of(molecule, name) for name in PROPERTIES]
    return fragments(molecule), scaffold(molecule), fingerprint(molecule), values


def _syntax(smiles: str) -> str:
    """What is wrong with a string that is no SMILES by its grammar, as far as counting tells."""
    outside = re.sub(r"\[[^\[\]]*\]", "*", smiles)
    if "[" in outside or "]" in outside:
        return "a square bracket is not closed or not opened"
    if outside.count("(") != outside.count(")"):
        return f"{outside.count('(')} opening and {outside.count(')')} closing parentheses"
    rings = Counter(re.findall(r"%\d\d|\d", outside))
    odd = [ring for ring, n in rings.items() if n % 2]
    return f"ring {odd[0].lstrip('%')} is not closed" if odd else ""


@functools.cache
def _morgan() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


@functools.cache
def _sascorer() -> Any:
    # it comes with RDKit as a script among its contributions, not as a module of the package
    path = os.path.join(RDConfig.RDContribDir, "SA_Score", "sascorer.py")
    spec = importlib.util.spec_from_file_location("rdkit_contrib_sascorer", path)
    if spec is None or spec.loader is None or not os.path.isfile(path):
        raise ImportError(f"this RDKit comes without {path}; install the rdkit wheel")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_PROPERTY: dict[str, Callable[[Mol], float]] = {
    "logp": lambda molecule: float(rdMolDescriptors.CalcCrippenDescriptors(molecule)[0]),
    "qed": QED.qed,
    "sa": lambda molecule: float(_sascorer().calculateScore(molecule)),
    "weight": Descriptors.MolWt,  # type: ignore[attr-defined]
}
