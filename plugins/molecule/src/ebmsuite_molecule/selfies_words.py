"""SELFIES (Krenn et al. 2020), an optional dependency: strings in which every sequence of words is a valid molecule."""

from __future__ import annotations

import functools
from typing import Any

from ebmsuite.errors import PluginError
from ebmsuite_molecule.chemistry import LONGEST

__all__ = ["decode", "encode", "library"]


@functools.cache
def library() -> Any:
    """Return the module selfies. Raises `PluginError` with install instructions if it is missing."""
    try:
        import selfies
    except ImportError as error:
        raise PluginError(
            'the tokeniser "selfies" needs the package selfies: pip install "ebmsuite-molecule[selfies]"'
        ) from error
    return selfies


def encode(smiles: str) -> str:
    """Convert SMILES to SELFIES; empty if this fails (a valence unknown to SELFIES, or an invalid molecule)."""
    if len(smiles) > LONGEST:
        return ""
    try:
        return str(library().encoder(smiles))
    except (library().EncoderError, RecursionError):
        return ""


def decode(words: str) -> str:
    """Convert SELFIES to SMILES; empty if a word is invalid."""
    try:
        return str(library().decoder(words))
    except (library().DecoderError, RecursionError):
        return ""
