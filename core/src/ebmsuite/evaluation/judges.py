"""Judges: networks that metrics train once per data set and keep in the cache folder.

A judge is a model of the data with another purpose than generation: a classifier whose features a distance uses, or a
language model whose perplexity is the score. A metric calls `judge`, which trains the network or reads it from the
cache. Its quality on held-out data is measured once, and `Judge.protocol` states it with every score.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from ebmsuite.errors import DataError
from ebmsuite.files import cache_folder, locked, replacing
from ebmsuite.tree import to_host
from ebmsuite.values import plain

__all__ = ["Judge", "judge"]

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class Judge(Generic[N]):
    """A trained network on the CPU, in evaluation mode and without gradients."""

    name: str
    key: str
    """64 hexadecimal digits: the sha256 of name, data, settings and seed."""
    net: N
    quality: Mapping[str, Any]
    """How good the network is on held-out data, such as its accuracy or perplexity."""

    @property
    def id(self) -> str:
        """A name that differs between judges of other data or settings."""
        return f"{self.name}-{self.key[:8]}"

    def protocol(self) -> dict[str, Any]:
        """The facts that a score states about its judge."""
        return {"id": self.id, **self.quality}


def judge(
    name: str,
    data: Mapping[str, str],
    settings: Mapping[str, Any],
    make: Callable[[], N],
    learn: Callable[[N, torch.Generator], None],
    measure: Callable[[N], Mapping[str, Any]],
    seed: int = 0,
    threads: int | None = 1,
) -> Judge[N]:
    """The judge ``name`` (such as "image/classifier") of these data, from the cache if it was trained before.

    ``data`` maps each split that is used to its digest (`ebmsuite.dataset.digest_of`); ``settings`` are plain values,
    with a version that changes with the code of the network. ``make`` builds the network, ``learn`` trains it in place,
    and ``measure`` returns plain values. All three see the same random numbers for the same ``seed``, whatever was
    computed before, and the global generators do not advance. They use one thread by default, so that sums do not
    depend on the number of cores; ``threads=None`` leaves the number unchanged.

    The file NAME-KEY.safetensors in the cache (`ebmsuite.files.cache_folder`) appears complete or not at all. If
    several processes need the same judge, one trains it and the others wait.

    Errors: `DataError` when the file is damaged or holds another network.
    """
    facts = {"judge": name, "data": dict(data), "settings": plain(settings), "seed": seed}
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    path = cache_folder(f"{name}-{key[:32]}.safetensors")
    with _apart(seed, threads):
        net = make()
        if not path.is_file():
            with locked(path):
                if not path.is_file():  # another process may have trained it meanwhile
                    learn(net.train(), torch.Generator().manual_seed(seed))
                    quality = plain(measure(net.eval().requires_grad_(False)))
                    _store(net, {**facts, "quality": quality}, path)
        # always the network of the file, so that the first use and later ones agree
        quality = _restore(net, path)
    return Judge(name, key, net.eval().requires_grad_(False), quality)


def _store(net: nn.Module, facts: Mapping[str, Any], path: Path) -> None:
    with replacing(path) as aside:
        tensors = {k: to_host(v) for k, v in net.state_dict().items()}
        save_file(tensors, aside, {"facts": json.dumps(facts)})


def _restore(net: nn.Module, path: Path) -> dict[str, Any]:
    """Load the weights into the net, on the CPU, and return the stored quality."""
    try:
        with safe_open(path, "pt") as file:
            quality: dict[str, Any] = json.loads(file.metadata()["facts"])["quality"]
        net.cpu().load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is not the stored network ({error}); delete it to train it again") from error
    return quality


@contextmanager
def _apart(seed: int, threads: int | None) -> Iterator[None]:
    """Compute with gradients, with random numbers from ``seed``, and with this number of threads."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
        # torch.manual_seed would also seed the generators of GPUs
        torch.default_generator.manual_seed(seed)
        torch.set_num_threads(threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)
