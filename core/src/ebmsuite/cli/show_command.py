from __future__ import annotations

import difflib
import importlib.resources
import inspect
import types
import typing
from typing import Any

import click

from ebmsuite.errors import UnknownName
from ebmsuite.hookspecs import Component
from ebmsuite.plugins.registry import Registry


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Show the settings (types and defaults) and the paper of component NAME.

    If components of several kinds have this name, all of them are shown.
    """
    from ebmsuite.plugins.discovery import CORE

    registry = Registry()
    domain = name.partition("/")[0] if "/" in name else CORE
    found = [(k, c) for k, c in registry.list(domain=domain) if c.name == name] if _known(registry, domain) else []
    if not found:
        registry.plugins.load_all()
        names = sorted({c.name for _, c in registry.list()})
        close = [n for n in names if name in n][:3] or difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {' or '.join(dict.fromkeys(close))}?" if close else "see `ebm list`"
        raise UnknownName(f'no component is called "{name}"; {hint}')
    for kind, component in found:
        record = registry.plugins.record(domain)
        origin = f"{record.distribution} {record.version}" if record else ""
        click.echo(click.style(f"{kind} {component.name}", bold=True) + f"  ({origin})")
        click.echo(f"  {component.summary}")
        if component.paper:
            click.echo(f"  {registry.citation(component.paper, domain) or component.paper} [{component.paper}]")
        if component.needs:
            click.echo(f"  needs {', '.join(component.needs)}")
        if kind == "recipe":
            _recipe(component)
        elif kind == "case":
            click.echo(f"  {component.target}")
        else:
            _settings(registry, kind, component)
        click.echo()


def _known(registry: Registry, domain: str) -> bool:
    return registry.plugins.record(domain) is not None


def _recipe(component: Component) -> None:
    package, _, inner = component.target.partition(":")
    text = importlib.resources.files(package).joinpath(inner).read_text(encoding="utf-8")
    click.echo("\n" + "\n".join("    " + line for line in text.splitlines()))


def _settings(registry: Registry, kind: str, component: Component) -> None:
    target = registry.resolve(kind, component.name)
    text = inspect.getdoc(target)
    if text and not text.startswith(f"{target.__name__}("):
        click.echo("\n" + "\n".join("  " + line for line in text.splitlines()))
    parameters = registry.parameters(kind, component.name)
    if parameters:
        click.echo("\n  settings")
        width = max(map(len, parameters))
        for p in parameters.values():
            default = "required" if p.required else f"= {p.default!r}"
            click.echo(f"    {p.name:<{width}}  {hint_text(p.hint)}  {default}")


def hint_text(hint: Any) -> str:
    """An annotation as readable text."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " | ".join(hint_text(a) for a in typing.get_args(hint))
    if hint is type(None):
        return "None"
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "")
