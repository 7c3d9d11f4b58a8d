"""Shared code of the benchmarks: options, description of the machine, interleaved rounds, tables.

After one run of each method that is not counted, every round runs each method once, in a rotating order. Ratios are
computed within a round; their median over rounds is reported with the smallest and the largest.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

PEERS = ("torchebm", "blackjax", "jax")


# -- options ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    rounds: int
    threads: int
    device: str
    quick: bool
    json: Path | None
    cases: tuple[str, ...]
    child: str | None
    """The work of this process, if it is a child process that measures peak memory, else None."""


def options(doc: str, cases: Sequence[str]) -> Options:
    """Read the command line, pin the process to one core per thread (on the CPU), and seed torch."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="number of interleaved rounds (default 5; 2 with --quick)")
    parser.add_argument("--threads", type=int, default=1, help="number of threads and cores (default 1)")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument(
        "--quick", action="store_true", help="take seconds instead of minutes; do not quote the numbers"
    )
    parser.add_argument("--json", type=Path, help="also write the tables, with all rounds, to this file")
    parser.add_argument(
        "--cases", nargs="+", choices=cases, default=list(cases), help=f"some of {', '.join(cases)} (default all)"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    rounds = given.rounds or (2 if given.quick else 5)
    if given.device == "cpu" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-given.threads :])
        os.environ["JAX_PLATFORMS"] = "cpu"  # jax uses as many threads as the process has cores
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    return Options(rounds, given.threads, given.device, given.quick, given.json, tuple(given.cases), given.child)


def machine(opts: Options) -> dict[str, str]:
    """The hardware and software on which the numbers were measured."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    facts = {
        "cpu": _cpu(),
        "cores": f"{opts.threads} of {os.cpu_count()}",
        "threads": str(torch.get_num_threads()),
        "load before": load,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: importlib.metadata.version(name) for name in PEERS if installed(name)},
    }
    return facts | ({"gpu": torch.cuda.get_device_name()} if opts.device == "cuda" else {})


def installed(name: str) -> bool:
    """Whether a package to compare with is installed."""
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    facts = dict(part.split(":", 1) for part in lines if ":" in part)
    facts = {k.strip(): v.strip() for k, v in facts.items()}
    return f"{facts.get('model name', '?')} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"


# -- timing ----------------------------------------------------------------------------------------------------------


class Method(NamedTuple):
    """A method to time. ``steps`` is the number of gradient evaluations (or other units of the table) per run."""

    name: str
    work: Callable[[], object]
    steps: int


class Ratio(NamedTuple):
    """A ratio of times: median, smallest and largest value over rounds."""

    median: float
    low: float
    high: float


def timed(work: Callable[[], object], device: str) -> float:
    """The time of one run in seconds, without garbage collection."""
    gc.collect()
    gc.disable()
    try:
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        return time.perf_counter() - started
    finally:
        gc.enable()


def paired(methods: Sequence[Method], opts: Options) -> dict[str, list[float]]:
    """Time the methods in interleaved rounds: name -> seconds per step in each round."""
    for method in methods:
        say(f"warm-up: {method.name}")
        method.work()
    seconds: dict[str, list[float]] = {method.name: [] for method in methods}
    for number in range(opts.rounds):
        say(f"round {number + 1} of {opts.rounds}")
        first = number % len(methods)
        for method in (*methods[first:], *methods[:first]):
            seconds[method.name].append(timed(method.work, opts.device) / method.steps)
    say("")
    return seconds


def ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """The ratio of the times of two methods, computed per round."""
    each = [a / b for a, b in zip(above, below, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def say(text: str) -> None:
    """Show the current activity, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


# -- memory ----------------------------------------------------------------------------------------------------------


def resident_mib() -> float:
    """The current memory of the process in MiB."""
    return _status("VmRSS")


def peak_mib(device: str) -> float:
    """The peak memory of the process (on CUDA: of torch's allocator) in MiB.

    This is VmHWM, because ru_maxrss of getrusage is inherited over exec on Linux and so includes the parent's peak.
    """
    return torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else _status("VmHWM")


def _status(key: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux; ru_maxrss is in bytes on macOS
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:"))


def in_child(script: str, child: str, opts: Options) -> dict[str, Any]:
    """Run ``script --child CHILD`` in a separate process and return the JSON that it prints."""
    say(child)
    command = [sys.executable, script, "--child", child, "--threads", str(opts.threads), "--device", opts.device]
    command += ["--rounds", str(opts.rounds), *(["--quick"] if opts.quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    say("")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def memory_of(work: Callable[[], object], device: str) -> dict[str, float]:
    """Run ``work`` once: the peak memory and its increase over the memory before, in MiB."""
    before = torch.cuda.memory_allocated() / 2**20 if device == "cuda" else resident_mib()
    work()
    peak = peak_mib(device)
    return {"peak MiB": peak, "added MiB": max(peak - before, 0.0)}


# -- tables ----------------------------------------------------------------------------------------------------------


class Table(NamedTuple):
    """A table of rows (column -> value). Columns whose names begin with _ are written to --json only."""

    title: str
    rows: list[dict[str, Any]]
    note: str = ""


def rows(
    methods: Sequence[Method], seconds: Mapping[str, list[float]], floor: str, bare: str | None
) -> list[dict[str, Any]]:
    """The rows of a table: seconds, and ratios of the time per step, of every method."""
    found = []
    for name, _, steps in methods:
        each = seconds[name]
        row: dict[str, Any] = {
            "method": name,
            "steps": steps,
            "s (median)": statistics.median(each) * steps,
            "s (min)": min(each) * steps,
            "us / step": statistics.median(each) * 1e6,
            "x floor": ratio(each, seconds[floor]),
        }
        if bare is not None:
            row["x bare loop"] = ratio(each, seconds[bare])
        found.append({**row, "_s a step": each})
    return found


def report(opts: Options, tables: Sequence[Table]) -> None:
    """Print all tables as markdown and write ``--json``."""
    facts = machine(opts)
    print(", ".join(f"{k} {v}" for k, v in facts.items()))
    if opts.quick:
        print("--quick: this tests that the benchmark runs; do not quote its numbers")
    for table in tables:
        print(f"\n### {table.title}\n\n{_markdown(table.rows)}")
        if table.note:
            print(f"\n{table.note}")
    if opts.json is not None:
        content = {"machine": facts, "quick": opts.quick, "rounds": opts.rounds}
        content["tables"] = [{"title": t.title, "note": t.note, "rows": [_plain(r) for r in t.rows]} for t in tables]
        opts.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _markdown(found: Sequence[Mapping[str, Any]]) -> str:
    head = list(dict.fromkeys(key for row in found for key in row if not key.startswith("_")))
    lines = [head, ["---"] * len(head), *([_cell(row.get(key, "")) for key in head] for row in found)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, Ratio):
        return f"{value.median:.2f} ({value.low:.2f}-{value.high:.2f})"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v._asdict() if isinstance(v, Ratio) else v for k, v in row.items()}
