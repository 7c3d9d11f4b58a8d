"""Core's packages: imports go down, no file imports itself by way of others, and every module has its layer."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml

import ebmsuite

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "core" / "src" / "ebmsuite", *sorted((ROOT / "plugins").glob("*/src/*"))]


def modules() -> dict[str, Path]:
    found = {}
    for source in SOURCES:
        for file in source.rglob("*.py"):
            parts = file.relative_to(source.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imported(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules that a file imports, inside functions and for type checkers too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def test_no_file_imports_itself_by_way_of_others() -> None:
    known = modules()
    assert len(known) > 200
    edges = {name: {m for m in imported(file, known) if m in known and m != name} for name, file in known.items()}
    below: dict[str, set[str]] = defaultdict(set)

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"import cycle: {' -> '.join((*path[path.index(name) :], name))}"
        if name not in below:
            for other in edges[name]:
                visit(other, (*path, name))
            below[name] = edges[name]

    for name in known:
        visit(name, ())


def test_every_module_of_core_has_a_layer() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {name.strip() for layer in layers for name in layer.split("|")}
    core = {name for name in modules() if name.startswith("ebmsuite.")}
    without = {
        name
        for name in core
        if not any(name == n or name.startswith(f"{n}.") for n in named)  # neither it nor its package
        and not any(n.startswith(f"{name}.") for n in named)  # nor what is inside it
    }
    assert not without
    assert named <= core


def test_a_file_name_occurs_once_per_plugin() -> None:
    """Callbacks are named after their components, which may share the name of the core module that they call."""
    examples = sorted((ROOT / "examples").glob("*/src/*"))
    for source in [*SOURCES, *examples]:
        files = [f for f in source.rglob("*.py") if f.name != "__init__.py" and f.parent != source / "callbacks"]
        twice = {name for name, n in Counter(f.name for f in files).items() if n > 1}
        assert not twice, f"{source.name}: {sorted(str(f.relative_to(source)) for f in files if f.name in twice)}"


def test_classes_of_plugins_have_other_names_than_those_of_core() -> None:
    """Tasks are named after their components: DOMAIN/interpolate is a domain's form of core's task interpolate."""
    of_core: dict[str, str] = {}
    of_plugins: list[tuple[str, str]] = []
    for module, file in modules().items():
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                if module.startswith("ebmsuite."):
                    of_core[node.name] = module
                else:
                    of_plugins.append((node.name, module))
    of_tasks = {name for name, module in of_core.items() if module == "ebmsuite.pictures.tasks"}
    same = {
        name: (of_core[name], module)
        for name, module in of_plugins
        if name in of_core and not (name in of_tasks and ".tasks." in module)
    }
    assert not same


def test_one_version() -> None:
    projects = [ROOT / "core" / "pyproject.toml", *sorted((ROOT / "plugins").glob("*/pyproject.toml"))]
    versions = {tomllib.loads(p.read_text(encoding="utf-8"))["project"]["version"] for p in projects}
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]
    assert versions | {cited} == {ebmsuite.__version__}
