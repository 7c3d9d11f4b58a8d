"""Data sets, the streams of batches that learning reads, and codecs between files and events."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from numpy.typing import NDArray
from torch import Tensor

from ebmsuite.errors import DataError, RecipeError, UserError
from ebmsuite.space import Batch, ConditionSpace, Space, condition_misfit, space_problem
from ebmsuite.tree import Tree, flatten, take

__all__ = [
    "Codec",
    "Dataset",
    "Films",
    "InMemory",
    "NormalSamples",
    "Shows",
    "Stream",
    "digest_of",
    "drawn_split",
    "first",
    "fixed_batch",
    "fixed_subset",
    "rows",
    "split_of",
]

WINDOW = 50
"""Number of batches within which examples are sorted by length."""


@runtime_checkable
class Codec(Protocol):
    """Reads and writes a user's files: a frozen dataclass of plain values, stored with every run."""

    name: ClassVar[str]

    def read(self, path: Path) -> Batch:
        """Every event in a file or folder. A bad file or row raises `DataError` that names it."""
        ...

    def write(self, x: Tensor, path: Path, batch: Batch | None = None) -> None:
        """Write events in the format given by the suffix of ``path``.

        ``batch`` has the condition and the ``meta`` of the same rows, if there are any; its ``x`` may be empty.
        """
        ...


@runtime_checkable
class Shows(Protocol):
    """A codec that can draw events. The suite then makes sheets, films of chains and comparisons of them."""

    def show(self, x: Tensor, batch: Batch | None = None) -> Tensor:
        """Draw events x [N, *event], on the CPU: uint8 [N, H, W] (grey) or [N, H, W, 3] (RGB), 255 is white.

        Row i of the result depends on row i only, and equal rows give equal pictures. x can be the state of a chain, so
        values can be outside of the space of events, infinite or NaN. ``batch``, if given, has the condition and the
        meta of the same rows.
        """
        ...


@runtime_checkable
class Films(Shows, Protocol):
    """A codec of events that move, or that are seen from all sides: it can also draw an event as a film."""

    def frames(self, x: Tensor) -> Tensor:
        """Draw events x [N, *event], on the CPU, at T moments or angles: uint8 [N, T, H, W] or [N, T, H, W, 3]."""
        ...


class Dataset:
    """Examples by number. A subclass sets ``event`` and defines ``__len__`` and ``batch``; the rest has defaults.

    The suite reads every attribute below, so that runs, reports and metrics can state which data they used.
    """

    component_kind: ClassVar[str] = "dataset"

    event: Space
    """The space of the events."""
    condition: ConditionSpace = None
    """The space of the condition that batches carry, a tree like the condition itself; None without one."""
    codec: Codec | None = None
    """Reads and writes the user's files; None when events have no file format."""
    lengths: Tensor | None = None
    """Where a length varies: int64 [N], one per example. A `Stream` then batches examples of similar length."""
    labels: Tree = None
    """Labels [N] for metrics, whether or not they are the condition."""
    note: str = ""
    """Which part of its source this data set is, for example "1,800 of 60,000 images"; empty for the whole source."""
    skipped: Mapping[str, Sequence[str]] = MappingProxyType({})
    """Inputs that were left out: reason -> their names (a file, "line 7", "row 3"). Every run reports them."""

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} defines no __len__")

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        """The examples with the numbers ``index`` [B]. ``seeds`` [B] seed their augmentation, if there is any."""
        raise NotImplementedError(f"{type(self).__name__} defines no batch")

    def digest(self) -> str:
        """A hexadecimal digest of which examples these are and of their order. A run stores it and `--resume` compares.

        This default reads up to 1,000 examples, evenly spaced. A data set that can hash all its examples in less than
        a second should do so (`digest_of`).
        """
        index = torch.linspace(0, len(self) - 1, min(len(self), 1000)).round().long()
        parts = [self.batch(i, torch.zeros_like(i)) for i in torch.split(index, 100)]
        trees = [(b.x, b.condition, b.known) for b in parts]
        return digest_of(len(self), *(leaf for tree in trees for leaf in flatten(tree).values()))


def digest_of(*parts: Tensor | bytes | str | int | None) -> str:
    """16 hexadecimal digits of SHA-256 over the parts: for a tensor its type, shape and bytes, in order."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            values = part.detach().cpu().contiguous()
            sha.update(f"{values.dtype} {list(values.shape)}".encode())
            sha.update(values.view(-1).view(torch.uint8).numpy().data if values.numel() else b"")
        else:
            data = part if isinstance(part, bytes) else repr(part).encode()
            sha.update(f"{type(part).__name__} {len(data)} ".encode() + data)
    return sha.hexdigest()[:16]


class InMemory(Dataset):
    """A data set that is one tensor of events (float, [N, *event]) and, optionally, a tree of conditions.

    ``condition_space`` is the tree of the spaces of the condition, which states classes, names, ranges, masks and
    optional leaves. Without it, floats are real, integers are labels (of ``classes`` classes, if the condition is one
    tensor) and booleans are masks. ``known`` is boolean like x, True where observed; batches hold 0 at unobserved
    positions. ``view``, ``truth`` (trees) and ``meta`` (arrays by name) are those of `Batch`, for all N examples. With
    ``kind="one-hot"`` the last dimension of x holds the categories: each site has one 1 and otherwise 0. `DataError`
    names the first site that is not one-hot, or the leaf of the condition that does not fit.
    """

    def __init__(
        self,
        x: Tensor,
        condition: Tree = None,
        range: tuple[float, float] | None = None,
        classes: int | None = None,
        codec: Codec | None = None,
        known: Tensor | None = None,
        kind: Literal["real", "one-hot"] = "real",
        condition_space: ConditionSpace = None,
        view: Tree = None,
        truth: Tree = None,
        meta: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        self.x, self.labels, self.codec, self.known = x, condition, codec, known
        self.view, self.truth, self.meta = view, truth, meta
        self.event = Space(tuple(x.shape[1:]), range, kind)
        if kind == "one-hot":
            _check_one_hot(x, known)
        self.condition = _space_of(condition, classes) if condition_space is None else condition_space
        wrong = space_problem(self.condition) or condition_misfit(self.condition, condition, len(x))
        rows: dict[str, Any] = {
            **flatten(view, "view"),
            **flatten(truth, "truth"),
            **{f"meta.{k}": v for k, v in (meta or {}).items()},
        }
        wrong = wrong or next(
            (f"{k}: {len(v)} rows for {len(x)} events" for k, v in rows.items() if len(v) != len(x)), ""
        )
        if wrong:
            raise DataError(wrong)

    def __len__(self) -> int:
        return self.x.shape[0]

    def digest(self) -> str:
        """A digest of all events, labels and observed positions."""
        return digest_of(self.x, *flatten((self.labels, self.known)).values())

    def batch(self, index: Tensor, seeds: Tensor) -> Batch:
        x, known = self.x[index], take(self.known, index)
        return Batch(
            x if known is None else x * known,
            take(self.labels, index),
            index,
            known,
            take(self.view, index),
            take(self.truth, index),
            None if self.meta is None else {k: v[index.cpu().numpy()] for k, v in self.meta.items()},
        )


def _space_of(condition: Tree, classes: int | None = None) -> ConditionSpace:
    """The tree of spaces of a condition whose data set states none."""
    if isinstance(condition, dict):
        return {k: _space_of(v) for k, v in condition.items()}
    if isinstance(condition, tuple):
        return tuple(map(_space_of, condition))
    if condition is None:
        return None
    kind: Any = "real" if condition.is_floating_point() else "mask" if condition.dtype == torch.bool else "label"
    return Space(tuple(condition.shape[1:]), kind=kind, classes=classes)


def _check_one_hot(x: Tensor, known: Tensor | None) -> None:
    if not x.is_floating_point() or x.dim() < 2:
        raise DataError(
            f"one-hot events must be a float tensor [N, *sites, categories], got {x.dtype} {list(x.shape)}; "
            "make it with torch.nn.functional.one_hot(...).float()"
        )
    good = ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1)
    if known is not None:
        good |= ~known.any(-1)  # a site that is not observed
    if not good.all():
        example, *site = (~good).nonzero()[0].tolist()
        where = f"example {example}" + (f", site {site[0] if len(site) == 1 else site}" if site else "")
        raise DataError(f"{where}: {x[(example, *site)].tolist()} is not one-hot: one entry must be 1, the others 0")


def drawn_split(name: str) -> Literal["train", "valid", "test"]:
    """The split of a user's file by a hash of its name: 90 % are train, 5 % valid and 5 % test.

    A file keeps its split when others are added or removed. Names that differ only in their Unicode composition get the
    same split.
    """
    key = unicodedata.normalize("NFC", name).encode("utf-8", "surrogateescape")
    share = int.from_bytes(hashlib.sha256(key).digest()[:8], "big") / 2**64
    return "train" if share < 0.9 else "valid" if share < 0.95 else "test"


def split_of(data: Mapping[str, Dataset], name: str) -> Dataset:
    """The split ``name``. Raises `UserError`, which lists the available splits; an empty split counts as missing."""
    if name not in data or len(data[name]) == 0:
        there = ", ".join(k for k, v in data.items() if len(v)) or "none"
        raise UserError(f'the data have no split "{name}" (they have: {there})')
    return data[name]


def fixed_subset(examples: Sized, n: int) -> Tensor:
    """Numbers of ``n`` examples: all in order if there are at most ``n``, otherwise a fixed random subset, sorted.

    The subset is fixed so that it causes no differences between runs. It is not the first ``n``, because in a file
    sorted by class these could all belong to one class.
    """
    if n >= len(examples):
        return torch.arange(len(examples))
    return torch.randperm(len(examples), generator=torch.Generator().manual_seed(0))[:n].sort().values


def rows(dataset: Dataset, n: int | None = None, size: int = 256) -> Iterator[Batch]:
    """The first ``n`` examples (all if None) in order, in batches of ``size``; all augmentation seeds are 0."""
    end = len(dataset) if n is None else min(n, len(dataset))
    for start in range(0, end, size):
        index = torch.arange(start, min(start + size, end))
        yield dataset.batch(index, torch.zeros_like(index))


def first(dataset: Dataset, n: int | None = None) -> Batch:
    """The first ``n`` examples (all, when None) in order, as one batch, without augmentation randomness."""
    return Batch.cat(list(rows(dataset, n, 4096)))


def fixed_batch(dataset: Dataset, n: int) -> Batch:
    """The examples of `fixed_subset` as one batch, without augmentation randomness."""
    index = fixed_subset(dataset, n)
    return dataset.batch(index, torch.zeros_like(index))


class Stream:
    """The batches of a data set in the order of learning.

    The batch of step t depends only on (seed, epoch, position), so a resumed run continues where it stopped.
    Position t * batch + i lies in epoch ``position // len``, whose permutation is drawn from (seed, epoch). ``batch``
    is the global size; rank r of w reads the r-th part of every batch. Examples of varying length are sorted by length
    within `WINDOW` batches of the permutation, and these batches are shuffled.
    """

    def __init__(self, dataset: Dataset, batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        if batch % world:
            raise RecipeError(f"budget.batch: {batch} cannot be divided among {world} processes")
        if len(dataset) == 0:
            raise RecipeError("the data set has no examples")
        self.dataset, self.seed, self.size = dataset, seed, batch // world
        self._global, self._offset = batch, rank * self.size
        self._epochs: dict[int, Tensor] = {}
        self._ahead: tuple[int, Future[Batch]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="stream")

    def batch(self, t: int) -> Batch:
        """This rank's part of the batch of step ``t``. A thread prepares the next batch."""
        ahead, self._ahead = self._ahead, None
        read = ahead[1].result() if ahead is not None else None
        batch = read if read is not None and ahead is not None and ahead[0] == t else self._read(t)
        self._ahead = (t + 1, self._pool.submit(self._read, t + 1))
        return batch

    def close(self) -> None:
        """Stop reading ahead."""
        self._pool.shutdown(cancel_futures=True)

    def _read(self, t: int) -> Batch:
        n = len(self.dataset)
        position = t * self._global + self._offset + torch.arange(self.size)
        epoch = position // n
        index = torch.cat([self._order(e)[position[epoch == e] % n] for e in sorted(set(epoch.tolist()))])
        # one seed per example, epoch and run: odd multipliers keep the three apart in 63 bits
        seeds = (self.seed * 0x9E3779B1 + epoch * 0x85EBCA77 + index * 0xC2B2AE3D) & 0x7FFFFFFFFFFFFFFF
        return self.dataset.batch(index, seeds)

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            generator = torch.Generator().manual_seed((self.seed << 24) + epoch)
            while len(self._epochs) > 1:
                self._epochs.pop(min(self._epochs))
            order = torch.randperm(len(self.dataset), generator=generator)
            if self.dataset.lengths is not None:
                begun = -epoch * len(order) % self._global  # examples that complete the last batch of the epoch before
                alike = _alike(order[begun:], self.dataset.lengths, self._global, generator)
                order = torch.cat([order[:begun], alike])
            self._epochs[epoch] = order
        return self._epochs[epoch]


def _alike(order: Tensor, lengths: Tensor, batch: int, rng: torch.Generator) -> Tensor:
    """Reorder so that examples of similar length share a batch. A last, smaller batch stays last."""
    windows = [w[lengths[w].argsort(stable=True)] for w in torch.split(order, WINDOW * batch)]
    batches = [b for w in windows for b in torch.split(w, batch)]
    whole = len(order) // batch
    shuffled = [batches[i] for i in torch.randperm(whole, generator=rng).tolist()]
    return torch.cat([*shuffled, *batches[whole:]]) if batches else order


class NormalSamples(InMemory):
    """``n`` fixed draws from N(mean, sd^2 I) of shape ``dim``: data with an exactly known density.

    ``dim`` is a number of coordinates or a shape such as [1, 16]. With ``labels`` the condition is a label: 1 if the
    first coordinate is above the mean, otherwise 0. ``hidden`` is the fraction of unobserved coordinates.
    """

    def __init__(
        self,
        split: str = "train",
        n: int = 4096,
        dim: int | tuple[int, ...] = 1,
        mean: float = 0.0,
        sd: float = 1.0,
        labels: bool = False,
        hidden: float = 0.0,
    ) -> None:
        seed = {"train": 0, "valid": 1, "test": 2}.get(split)
        if seed is None:
            raise RecipeError(f'split: "{split}" is not one of train, valid, test')
        rng = torch.Generator().manual_seed(seed)
        shape = (n, dim) if isinstance(dim, int) else (n, *dim)
        noise = torch.randn(shape, generator=rng)
        known = torch.rand(shape, generator=rng) >= hidden if hidden else None
        label = (noise.flatten(1)[:, 0] > 0).long() if labels else None
        super().__init__(mean + sd * noise, label, classes=2 if labels else None, known=known)
