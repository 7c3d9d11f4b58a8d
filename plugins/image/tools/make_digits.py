"""Build the embedded data set ``image/digits`` from MNIST.

    python make_digits.py mnist.npz ../src/ebmsuite_image/data/digits.npz

The input holds ``x_train``, ``y_train``, ``x_test``, ``y_test``. The same input gives the same bytes.

Most of a picture is background, and the grey values of a stroke hardly compress: a bit map of where there is
ink and the values of the ink alone, each under LZMA, are a few per cent smaller than the pictures under LZMA,
and the file is still a plain .npz that `numpy.load` opens.
"""

from __future__ import annotations

import argparse
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

SIZES = {"train": 7000, "valid": 1000, "test": 2000}
SEED = 20261125


def choose(labels: npt.NDArray[np.uint8], n: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """``n`` rows, as many of every class, classes taking turns so that every prefix is balanced too."""
    per_class = [rng.permutation(np.flatnonzero(labels == c))[: n // 10] for c in range(10)]
    turns = np.stack(per_class, axis=1)
    return np.concatenate([rng.permutation(turn) for turn in turns])


def member(array: npt.NDArray[np.generic]) -> bytes:
    """The array as the contents of an .npy file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()

    with np.load(arguments.mnist, allow_pickle=False) as f:
        mnist = {key: f[key] for key in ("x_train", "y_train", "x_test", "y_test")}
    rng = np.random.default_rng(SEED)
    train = choose(mnist["y_train"], SIZES["train"] + SIZES["valid"], rng)
    test = choose(mnist["y_test"], SIZES["test"], rng)
    pictures = np.concatenate([mnist["x_train"][train], mnist["x_test"][test]])
    arrays = {
        "ink": np.packbits(pictures > 0),
        "values": pictures[pictures > 0],
        "labels": np.concatenate([mnist["y_train"][train], mnist["y_test"][test]]).astype(np.uint8),
        "rows": np.concatenate([train, test]).astype(np.uint16),
        "sizes": np.array(list(SIZES.values()), np.int32),
    }

    aside = arguments.out.with_suffix(".tmp")
    with zipfile.ZipFile(aside, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            # a fixed date, or the bytes would differ from build to build
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_LZMA
            archive.writestr(info, member(array))
    os.replace(aside, arguments.out)
    print(f"{arguments.out}: {len(pictures):,} pictures, {arguments.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
