"""Message-passing encoder q(z | x) of molecules as graphs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ebmsuite.density import Encoder
from ebmsuite.nets.sequences.layers import standard_normal
from ebmsuite.space import Space

__all__ = ["MessagePassing", "graph_encoder"]

ATOM = (119, 9, 11, 12, 9, 5, 8, 2, 2)
BOND = (22, 6, 2)
"""Number of values of each atom and bond feature of `torch_geometric.utils.from_smiles`."""


class MessagePassing(nn.Module):
    """GINE convolutions (Hu et al., ICLR 2020) over atoms and bonds, then sum and maximum over the atoms.

    The input is a view of `ebmsuite_molecule.data.graphs`: ``atoms`` [B, N, 9], ``bonds`` [B, M, 3] and the atoms of
    each bond, ``ends`` [B, M, 2], padded with -1.
    """

    def __init__(self, width: int, depth: int, out: int) -> None:
        from torch_geometric.nn import GINEConv

        super().__init__()
        self.atoms = nn.ModuleList(nn.Embedding(n, width) for n in ATOM)
        self.bonds = nn.ModuleList(nn.Embedding(n, width) for n in BOND)
        self.layers = nn.ModuleList(
            GINEConv(nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width)))
            for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.out = standard_normal(2 * width, out)

    def forward(self, view: dict[str, Tensor]) -> Tensor:
        atoms, bonds, ends = view["atoms"], view["bonds"], view["ends"]
        here, tied = atoms[..., 0] >= 0, bonds[..., 0] >= 0
        h = _embedded(self.atoms, atoms[here])
        edges = _embedded(self.bonds, bonds[tied])
        number = here.flatten().cumsum(0).view(here.shape) - 1  # index of every atom among all atoms of the batch
        first = number.gather(1, ends[..., 0].clamp(min=0))[tied]
        second = number.gather(1, ends[..., 1].clamp(min=0))[tied]
        between = torch.stack([first, second])
        for layer, norm in zip(self.layers, self.norms, strict=True):
            h = h + nn.functional.silu(layer(norm(h), between, edges))
        dense = h.new_zeros(*here.shape, h.shape[1])
        dense[here] = h
        top = dense.masked_fill(~here[..., None], -torch.inf).amax(1)
        read: Tensor = self.out(torch.cat([dense.sum(1) / 10, top], 1))
        return read


def _embedded(tables: nn.ModuleList, features: Tensor) -> Tensor:
    """Return the sum of the embeddings of features [N, F], with one table per feature."""
    return torch.stack([table(features[:, i]) for i, table in enumerate(tables)]).sum(0)


def graph_encoder(event: Space, latent: Space, width: int = 128, depth: int = 4) -> Encoder:
    """Build a message-passing encoder q(z | x) over atoms and bonds. The data set needs ``view: graph``."""
    return Encoder(MessagePassing(width, depth, 2 * latent.size), latent)
