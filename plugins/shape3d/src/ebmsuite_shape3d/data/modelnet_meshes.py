"""The data set ``shape3d/modelnet``: ModelNet10 or ModelNet40 from its meshes, as grids or as clouds."""

from __future__ import annotations

import shutil
import zipfile
from functools import partial
from pathlib import Path
from typing import Literal

from ebmsuite.dataset import InMemory, drawn_split
from ebmsuite.errors import MissingData, PluginError, RecipeError
from ebmsuite.files import cache_folder, data_folder, download, find
from ebmsuite.space import Batch
from ebmsuite_shape3d.data.folder import Form, codec_of, read_shapes, shapes_of
from ebmsuite_shape3d.data.modelnet import Split

__all__ = ["modelnet"]

Of = Literal["ModelNet10", "ModelNet40"]


def modelnet(
    of: Of = "ModelNet10",
    categories: tuple[str, ...] = ("toilet",),
    form: Form = "voxels",
    size: int = 24,
    count: int = 512,
    invalid: Literal["error", "skip"] = "error",
    split: Split = "train",
) -> InMemory:
    """The meshes of the ``categories`` (Wu et al., CVPR 2015) as grids of ``size``^3 or clouds of ``count`` points.

    They are read as those of ``shape3d/folder``, with z up, from EBMSUITE_DATA/shape3d/ModelNet10/CATEGORY/train and
    test. If they are not there, the archive is downloaded to the cache from the address that torch_geometric knows. A
    hash of the names puts about 5 % of the training meshes into the split valid. The grids are not those of
    ``shape3d/modelnet10-voxels``, which others made, and no repeated shapes are removed.
    """
    codec, root = codec_of(form, size, count, "z"), _root(of)
    there = sorted(entry.name for entry in root.iterdir() if (entry / "train").is_dir() and (entry / "test").is_dir())
    unknown = [name for name in categories if name not in there]
    if unknown or not categories:
        raise RecipeError(f"categories: {unknown or 'none'} must be names of {there}, the folders of {root}")
    shapes: dict[str, Batch] = {}
    splits: dict[str, str] = {}
    skipped: dict[str, list[str]] = {}
    for part in (f"{category}/{side}" for category in categories for side in ("train", "test")):
        found, left_out = read_shapes(root / part, codec, invalid)
        for name, batch in found.items():
            shapes[f"{part}/{name}"] = batch
            held_out = drawn_split(name) == "valid"
            splits[f"{part}/{name}"] = "test" if part.endswith("/test") else "valid" if held_out else "train"
        for why, names in left_out.items():
            skipped.setdefault(why, []).extend(names)
    dataset = shapes_of(root, shapes, splits, split, codec)
    dataset.skipped = skipped
    dataset.note += f" of {of} ({', '.join(categories)})"
    return dataset


def _root(of: Of) -> Path:
    try:
        return find(f"shape3d/{of}")
    except MissingData:
        folder = (data_folder() or cache_folder()) / "shape3d"
        if not (folder / of).is_dir():
            download("shape3d/modelnet", folder, f"shape3d/{of}/CATEGORY/train/*.off", partial(_fetch, of))
        return folder / of


def _fetch(of: Of, folder: Path) -> None:
    try:
        from torch_geometric.data import download_url, extract_zip
        from torch_geometric.datasets import ModelNet
    except ImportError as error:
        raise PluginError("shape3d/modelnet needs torch_geometric: pip install 'ebmsuite-shape3d[modelnet]'") from error
    archive = Path(download_url(ModelNet.urls[of.removeprefix("ModelNet")], str(folder)))
    try:
        extract_zip(str(archive), str(folder))
    except zipfile.BadZipFile as error:
        raise OSError(f"{archive.name} is damaged: {error}") from error
    archive.unlink()
    shutil.rmtree(folder / "__MACOSX", ignore_errors=True)  # made by the compression
