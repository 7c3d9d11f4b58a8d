"""Chemistry with RDKit: parsing, canonical form, properties, scaffolds, fragments and fingerprints.

This module does not use tensors or tokens. It silences RDKit's log only inside `quiet`.
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
from rdkit.Chem import QED, Descriptors, rdFingerprintGenerator, rdMolDescriptors, rdqueries
from rdkit.Chem.Scaffolds import MurckoScaffold

__all__ = [
    "BITS",
    "LONGEST",
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
"""Version of RDKit. Canonical forms and sanitisation rules depend on it."""

RULES = 2
"""Version of the rules of `parse`. Raise it when the rules change: results stored on disk depend on them."""

LONGEST = 2_000
"""Maximum length, in characters, of a string that this module passes to RDKit.

RDKit writes canonical SMILES recursively and does not limit the depth. Measured with RDKit 2026.9 and 1 MiB of stack
(Linux has 8 MiB, threads on other systems have less): a chain of 2,200 carbons passes, a chain of 2,300 ends the
process with SIGSEGV. This is 460 bytes of stack per atom. Large rings and aromatic chains behave alike. At 2,000
characters, chains, nested branches, rings (separate, fused, spiro, large), salts, stars and bracket atoms pass parsing,
canonical form, fragments, scaffold, fingerprint, SA, QED and SELFIES. The next limit is time: the scaffold of such a
chain takes more than half a minute.
"""

RADIUS, BITS = 2, 1024
"""Radius and number of bits of Morgan fingerprints, as in MOSES (Polykovskiy et al. 2020)."""


def quiet() -> AbstractContextManager[Any]:
    """Return a context manager that silences RDKit's log."""
    return cast("AbstractContextManager[Any]", rdBase.BlockLogs())


def parse(smiles: str) -> Mol | None:
    """Parse a SMILES to a sanitised molecule, or return None if it is not a valid molecule (see `reason`).

    RDKit accepts more strings than this function. It returns None for: the empty string; a string with a blank, because
    RDKit reads the rest as a name; a string with a character outside ASCII, because RDKit stops reading there; a dummy
    atom (``*``, ``[*:1]``) or a bond of any order (``~``), because they stand for something unknown and make the weight
    and the other properties meaningless; a string of more than `LONGEST` characters.
    """
    if len(smiles) > LONGEST or _PRINTABLE.fullmatch(smiles) is None or "~" in smiles:
        return None
    with quiet():
        molecule = Chem.MolFromSmiles(smiles)
    return None if molecule is None or not molecule.GetNumAtoms() or _dummies(molecule) else molecule


def reason(smiles: str) -> str:
    """Explain in words why `parse` returns None for a string; empty if it returns a molecule."""
    if not smiles:
        return "empty"
    if len(smiles) > LONGEST:
        return f"{len(smiles):,} characters, of at most {LONGEST:,}"
    if any(c.isspace() for c in smiles):
        return "a blank inside"
    if _PRINTABLE.fullmatch(smiles) is None:
        odd = next(c for c in smiles if not "!" <= c <= "~")
        return f"the character {odd!a}, which no SMILES has"
    if "~" in smiles:
        return "a bond of any order (~)"
    if parse(smiles) is not None:
        return ""
    with quiet():
        raw = Chem.MolFromSmiles(smiles, sanitize=False)
        if raw is not None and _dummies(raw):
            return "a dummy atom (*)"
        try:
            problems = [] if raw is None else [p.Message() for p in Chem.DetectChemistryProblems(raw)]
        except RuntimeError as error:  # RDKit fails on valences that it has not computed, for atoms with many bonds
            problems = [str(error).strip().splitlines()[0]]
    if problems:
        return " ".join(str(problems[0]).split())
    return _syntax(smiles) or "no SMILES"


def canonical(molecule: Mol) -> str:
    """Return RDKit's canonical SMILES, with stereochemistry."""
    return str(Chem.MolToSmiles(molecule))


def property_of(molecule: Mol, name: Property) -> float:
    """Return the property ``name`` of a molecule.

    ``logp``: Crippen's estimate of the octanol-water partition coefficient. ``qed``: drug-likeness in 0..1
    (Bickerton et al. 2012). ``sa``: synthetic accessibility from 1 (easy) to 10 (Ertl and Schuffenhauer 2009).
    ``weight``: average molecular weight in daltons.
    """
    return float(_PROPERTY[name](molecule))


def scaffold(molecule: Mol) -> str:
    """Return the SMILES of the Bemis-Murcko scaffold; empty if it has fewer than two rings (MOSES's definition)."""
    core: Mol = MurckoScaffold.GetScaffoldForMol(molecule)  # type: ignore[no-untyped-call]
    return canonical(core) if core.GetRingInfo().NumRings() >= 2 else ""


def fragments(molecule: Mol) -> list[str]:
    """Return the SMILES of the BRICS fragments (Degen et al. 2008), with numbered attachment points and repetitions."""
    with quiet():
        return canonical(Chem.FragmentOnBRICSBonds(molecule)).split(".")


def fingerprint(molecule: Mol) -> list[int]:
    """Return the indices, in 0..`BITS` - 1, of the bits set in the Morgan fingerprint of radius `RADIUS`."""
    return list(_morgan().GetFingerprint(molecule).GetOnBits())


Anatomy: TypeAlias = tuple[list[str], str, list[int], list[float]]
"""Fragments, scaffold, fingerprint bits and the values of `PROPERTIES`."""


def anatomy(smiles: str) -> Anatomy:
    """Compute all features for comparing sets of molecules with a single parse.

    Raises `ValueError` if the SMILES is not a valid molecule.
    """
    molecule = parse(smiles)
    if molecule is None:
        raise ValueError(f"{smiles!r} is no molecule: {reason(smiles)}")
    values = [property_of(molecule, name) for name in PROPERTIES]
    return fragments(molecule), scaffold(molecule), fingerprint(molecule), values


def _syntax(smiles: str) -> str:
    """Describe a syntax error that counting brackets, parentheses and ring numbers finds; empty if it finds none."""
    outside = re.sub(r"\[[^\[\]]*\]", "*", smiles)
    if "[" in outside or "]" in outside:
        return "a square bracket is not closed or not opened"
    if outside.count("(") != outside.count(")"):
        return f"{outside.count('(')} opening and {outside.count(')')} closing parentheses"
    rings = Counter(re.findall(r"%\d\d|\d", outside))
    odd = [ring for ring, n in rings.items() if n % 2]
    return f"ring {odd[0].lstrip('%')} is not closed" if odd else ""


_PRINTABLE = re.compile(r"[!-~]+")
"""Matches printable ASCII characters other than the blank."""

_DUMMY = rdqueries.AtomNumEqualsQueryAtom(0)


def _dummies(molecule: Mol) -> bool:
    return len(molecule.GetAtomsMatchingQuery(_DUMMY)) > 0


@functools.cache
def _morgan() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


@functools.cache
def _sascorer() -> Any:
    # RDKit ships it as a contributed script, not as a module of the package
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
