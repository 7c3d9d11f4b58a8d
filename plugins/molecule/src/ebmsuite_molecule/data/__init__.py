"""Data sets of molecules."""

from ebmsuite_molecule.data.molecules import Molecules
from ebmsuite_molecule.data.public import moses, qm9
from ebmsuite_molecule.data.smiles_file import smiles_file
from ebmsuite_molecule.data.zinc import zinc250k

__all__ = ["Molecules", "moses", "qm9", "smiles_file", "zinc250k"]
