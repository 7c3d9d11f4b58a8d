"""The template of ``ebm plugins new NAME``: a working plugin that its author then changes."""

from __future__ import annotations

import importlib.resources
import keyword
import os
import shutil
from pathlib import Path

from ebmsuite.errors import UserError

__all__ = ["write_plugin"]


def write_plugin(name: str, folder: Path) -> Path:
    """Write a distribution ``ebmsuite-NAME`` to ``folder``, which must not exist, and return ``folder``."""
    if not name.isidentifier() or keyword.iskeyword(name) or not name.islower():
        raise UserError(f'"{name}": the name of a plugin must be a lower-case Python identifier, such as "tabular"')
    if folder.exists():
        raise UserError(f"{folder}: exists already; choose another --out")
    aside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    source = importlib.resources.files("ebmsuite.plugins.template") / "files"
    for file in sorted(source.iterdir(), key=lambda f: f.name):
        # the file src--ebmsuite_NAME--plugin.py.txt becomes src/ebmsuite_NAME/plugin.py
        path = aside / file.name.removesuffix(".txt").replace("NAME", name).replace("--", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.read_text(encoding="utf-8").replace("{{name}}", name), encoding="utf-8")
    os.rename(aside, folder)
    return folder
