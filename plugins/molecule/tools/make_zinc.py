"""Build the embedded data set ``molecule/zinc250k`` from the whole one.

    python make_zinc.py FOLDER ../src/ebmsuite_molecule/data/zinc250k.txt.xz

FOLDER holds ``zinc250k.{train,valid,test}.smi.gz``. The same input gives the same bytes.

Parts of train and valid are drawn with a seed, test is taken whole. Should a symbol (an atom, a bond, a ring
number) of the drawn strings of valid and test, or the longest string, be absent from the drawn part of train, the
first string of train that has it takes the place of the last drawn.
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import os
import re
from pathlib import Path

import numpy as np

SIZES = {"train": 50_000, "valid": 5_000, "test": 5_000}
SEED = 20261125
SYMBOL = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()

    rng = np.random.default_rng(SEED)
    drawn: dict[str, list[str]] = {}
    rest: list[str] = []
    for split, n in SIZES.items():
        with gzip.open(arguments.folder / f"zinc250k.{split}.smi.gz", "rt", encoding="ascii") as file:
            strings = file.read().split()
        if split != "test":
            strings = [strings[i] for i in rng.permutation(len(strings))]
        drawn[split] = strings[:n]
        rest += strings[n:] if split == "train" else []

    lacking = symbols(drawn["valid"] + drawn["test"]) - symbols(drawn["train"])
    needed = [max(rest, key=len)] + [next(s for s in rest if symbol in s) for symbol in sorted(lacking)]
    drawn["train"][-len(needed) :] = needed

    text = "\n\n".join("\n".join(drawn[split]) for split in SIZES) + "\n"
    aside = arguments.out.with_suffix(".tmp")
    # xz stores no time, so the bytes are a function of the text
    aside.write_bytes(lzma.compress(text.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
    os.replace(aside, arguments.out)
    print(f"{arguments.out}: {sum(map(len, drawn.values())):,} molecules, {arguments.out.stat().st_size:,} bytes")
    print(f"taken for what would be absent: {len(needed)} ({', '.join(sorted(lacking)) or 'only the longest string'})")


def symbols(strings: list[str]) -> set[str]:
    return set(SYMBOL.findall("\n".join(strings)))


if __name__ == "__main__":
    main()
