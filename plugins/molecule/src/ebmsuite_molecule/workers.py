"""Apply a function to many strings in several processes, with an optional cache on disk.

RDKit holds the interpreter's lock, so threads do not help. Each process runs this module as a script with JSON input
and output. It therefore does not inherit the caller's state or its ``__main__``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ebmsuite.errors import DataError
from ebmsuite.files import cache_folder, replacing
from ebmsuite_molecule import chemistry, selfies_words

__all__ = ["JOBS", "each"]

log = logging.getLogger("ebmsuite")

_WORTH_A_PROCESS = 2_000
"""Minimum number of strings per process, because starting a process and importing RDKit takes about a second."""
_WORTH_A_FILE = 1.0
"""Minimum time in seconds of a computation whose results are stored on disk, so that a later run can reuse them."""


def _canonical(smiles: str) -> str:
    molecule = chemistry.parse(smiles)
    return "" if molecule is None else chemistry.canonical(molecule)


def _bits(smiles: str) -> list[int] | None:
    molecule = chemistry.parse(smiles)
    return None if molecule is None else chemistry.fingerprint(molecule)


def _values(smiles: str) -> list[float] | None:
    molecule = chemistry.parse(smiles)
    return None if molecule is None else [chemistry.property_of(molecule, name) for name in chemistry.PROPERTIES]


def _of_property(name: chemistry.Property) -> Callable[[str], float | None]:
    def value(smiles: str) -> float | None:
        molecule = chemistry.parse(smiles)
        return None if molecule is None else chemistry.property_of(molecule, name)

    return value


JOBS: Mapping[str, Callable[[str], Any]] = {
    "canonical": _canonical,
    "anatomy": chemistry.anatomy,
    "bits": _bits,
    "values": _values,
    "selfies": selfies_words.encode,
    **{name: _of_property(name) for name in chemistry.PROPERTIES},
}
"""Functions of a SMILES, by name.

For an invalid molecule, jobs that return text return "", ``anatomy`` raises `ValueError`, and the others return None.
``bits`` returns the indices of the set bits of the fingerprint, ``values`` all properties in the order of
`chemistry.PROPERTIES`.
"""

_remembered: dict[str, list[Any]] = {}
_unwritable: set[Path] = set()
"""Folders for which a warning was already logged that they are not writable."""


def each(job: str, strings: Sequence[str], remember: bool = False) -> list[Any]:
    """Return the result of the job for every string, in order.

    With ``remember``, results are cached in this process and, if they took more than `_WORTH_A_FILE` seconds, in the
    folder ``molecule`` of `ebmsuite.files.cache_folder`. This folder can be removed at any time.
    """
    if not remember:
        return _computed(job, strings)
    key = _key(job, strings)
    if key in _remembered:
        return _remembered[key]
    path = cache_folder("molecule") / f"{job}-{key}.json.gz"
    found = _stored(path, len(strings))
    if found is None:
        start = time.monotonic()
        found = _computed(job, strings)
        if time.monotonic() - start > _WORTH_A_FILE:
            _store(path, found)
    _remembered[key] = found
    return found


def _computed(job: str, strings: Sequence[str]) -> list[Any]:
    processes = min(_cores(), len(strings) // _WORTH_A_PROCESS)
    if processes < 2:
        return [JOBS[job](s) for s in strings]
    parts = [
        list(strings[i::processes]) for i in range(processes)
    ]  # interleaved, so that every process gets long and short strings
    results: list[Any] = [None] * len(strings)
    with ThreadPoolExecutor(processes) as pool:
        for i, done in enumerate(pool.map(lambda part: _in_a_process(job, part), parts)):
            results[i::processes] = done
    return results


def _in_a_process(job: str, strings: list[str]) -> list[Any]:
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__, job],
        input=json.dumps(strings),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{job}: a process ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    found: list[Any] = json.loads(done.stdout)
    return found


def _cores() -> int:
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def _key(job: str, strings: Sequence[str]) -> str:
    text = "\0".join([job, chemistry.VERSION, str(chemistry.RULES), *strings])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _stored(path: Path, n: int) -> list[Any] | None:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        log.warning("%s cannot be read (%s); its results are computed again", path, error)
        return None
    return found if isinstance(found, list) and len(found) == n else None


def _store(path: Path, results: list[Any]) -> None:
    try:
        with replacing(path) as aside:
            aside.write_bytes(gzip.compress(json.dumps(results).encode(), compresslevel=4))
    except (DataError, OSError) as error:
        if path.parent not in _unwritable:
            _unwritable.add(path.parent)
            log.warning("%s; results will be computed again at every start (set EBMSUITE_CACHE)", error)


if __name__ == "__main__":
    with chemistry.quiet():
        json.dump([JOBS[sys.argv[1]](s) for s in json.load(sys.stdin)], sys.stdout)
