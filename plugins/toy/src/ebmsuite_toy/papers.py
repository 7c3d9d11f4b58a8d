"""The papers of the toy components."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PAPERS"]

PAPERS: Mapping[str, str] = {
    "haario1999": (
        "Haario, Saksman, Tamminen. Adaptive Proposal Distribution for Random Walk Metropolis Algorithm. 1999"
    ),
    "neal2003": "Neal. Slice Sampling. Annals of Statistics 2003",
}
"""Authors, title, venue and year, by key."""
