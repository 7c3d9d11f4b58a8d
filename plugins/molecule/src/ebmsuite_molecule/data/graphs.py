"""Molecules as batched graph tensors: the input of a graph encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ebmsuite.errors import DataError, PluginError
from ebmsuite_molecule import chemistry

__all__ = ["graphs"]


def graphs(strings: Sequence[str]) -> dict[str, Tensor]:
    """Convert SMILES to ``atoms`` int64 [B, N, 9], ``bonds`` [B, M, 3] and the atoms of each bond, ``ends`` [B, M, 2].

    The padding value is -1. The features are those of `torch_geometric.utils.from_smiles`, which lists every bond in
    both directions. Raises `DataError` for an invalid molecule.
    """
    try:
        from torch_geometric.utils import from_smiles
    except ImportError as error:
        raise PluginError("view: graph needs torch_geometric: pip install 'ebmsuite-molecule[graphs]'") from error
    made: list[Any] = []
    for i, smiles in enumerate(strings):
        if why := chemistry.reason(smiles):
            raise DataError(f"molecule {i + 1} of {len(strings)}, {smiles!r}: no molecule, and no graph ({why})")
        try:
            made.append(from_smiles(smiles))
        except ValueError as error:  # a feature value that torch_geometric cannot encode, such as a degree above 10
            raise DataError(f"molecule {i + 1} of {len(strings)}, {smiles!r}: no graph ({error})") from error
    return {
        "atoms": pad_sequence([g.x for g in made], batch_first=True, padding_value=-1),
        "bonds": pad_sequence([g.edge_attr for g in made], batch_first=True, padding_value=-1),
        "ends": pad_sequence([g.edge_index.T for g in made], batch_first=True, padding_value=-1),
    }
