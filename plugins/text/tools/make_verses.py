"""Build the embedded data set ``text/verses`` from the King James Bible.

    bible -f Gen1:1-Rev22:21 > kjv.txt
    python make_verses.py kjv.txt ../src/ebmsuite_text/data/verses.txt.xz

``bible`` is the program of Debian's package bible-kjv with the text of bible-kjv-text. It writes one verse per line:
"Ge1:1 In the beginning ...". The same input gives the same bytes.

The tool takes each different verse of at most 19 words and marks once, draws 500 for validation and 500 for the test
with a seed, and keeps the others for training, in random order. Each line is the digit of the genre, the reference and
the text, separated by tabs; a blank line separates the splits.
"""

from __future__ import annotations

import argparse
import lzma
import re
from pathlib import Path

import numpy as np

BOOKS = (
    "Ge Exo Lev Num Deu",
    "Josh Jdgs Ruth 1Sm 2Sm 1Ki 2Ki 1Chr 2Chr Ezra Neh Est",
    "Job Psa Prv Eccl SSol",
    "Isa Jer Lam Eze Dan Hos Joel Amos Obad Jonah Mic Nahum Hab Zep Hag Zec Mal",
    "Mat Mark Luke John Acts",
    "Rom 1Cor 2Cor Gal Eph Phi Col 1Th 2Th 1Tim 2Tim Titus Phmn Heb Jas 1Pet 2Pet 1Jn 2Jn 3Jn Jude Rev",
)
"""The books of each genre: law, history, poetry, prophets, gospels and Acts, letters and Revelation."""

LONGEST, HELD, SEED = 19, 500, 20261130
WORD = re.compile(r"[a-z']+|[^\sa-z']")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()

    genre = {book: i for i, books in enumerate(BOOKS) for book in books.split()}
    verses: dict[str, str] = {}
    for line in arguments.text.read_text("ascii").splitlines():
        reference, text = line.split(" ", 1)
        words = WORD.findall(text.lower())
        book = re.sub(r"\d+:\d+$", "", reference)
        if len(words) <= LONGEST:
            verses.setdefault(" ".join(words), f"{genre[book]}\t{reference}\t{' '.join(text.split())}")
    lines = list(verses.values())
    order = np.random.RandomState(SEED).permutation(len(lines))
    parts = order[2 * HELD :], order[:HELD], order[HELD : 2 * HELD]
    content = "\n\n".join("\n".join(lines[i] for i in part) for part in parts) + "\n"
    arguments.out.write_bytes(lzma.compress(content.encode("ascii"), preset=9 | lzma.PRESET_EXTREME))
    print(len(lines), "verses,", arguments.out.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
