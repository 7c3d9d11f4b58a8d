from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from ebmsuite.hookspecs import KINDS
from ebmsuite.plugins.discovery import installed


@click.group()
def command() -> None:
    """List the installed plugins, check a plugin, or create a new one."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_plugins(as_json: bool) -> None:
    """List the plugins with state, components and load time."""
    plugins = installed()
    plugins.load_all()
    rows = []
    for record in plugins.records:
        counts = {}
        if record.state == "ok":
            counts = {k: len(c) for k in KINDS if (c := plugins.components(record.name, k))}
        rows.append({**dataclasses.asdict(record), "offers": counts})
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        offers = ", ".join(f"{n} {k}" for k, n in row["offers"].items())
        colour = "green" if row["state"] == "ok" else "yellow" if row["state"] == "disabled" else "red"
        state = click.style(f"{row['state']:<12}", fg=colour)
        line = f"{row['name']:<12} {state} {row['distribution']} {row['version']}, {1000 * row['seconds']:.0f} ms"
        click.echo(line + (f": {offers}" if offers else f": {row['error']}" if row["error"] else ""))


@command.command("check")
@click.argument("name", required=False)
@click.option("--fast", is_flag=True, help="Skip the resume and two-process runs.")
def check(name: str | None, fast: bool) -> None:
    """Run the conformance checks on plugin NAME, or on all."""
    from ebmsuite.errors import PluginError
    from ebmsuite.plugins.conformance import check_plugin

    failed = 0
    for plugin in [name] if name else installed().names():
        click.echo(click.style(plugin, bold=True))
        for outcome in check_plugin(plugin, fast=fast):
            mark = {"ok": click.style("ok     ", fg="green"), "failed": click.style("FAILED ", fg="red")}
            click.echo(f"  {mark.get(outcome.state, outcome.state + ' ')} {outcome.check}"
                       + (f": {outcome.detail}" if outcome.detail else ""))  # fmt: skip
            failed += outcome.state == "failed"
    if failed:
        raise PluginError(f"{failed} {'check' if failed == 1 else 'checks'} failed")


@command.command("new")
@click.argument("name")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write (default: ebmsuite-NAME).")
def new(name: str, out: Path | None) -> None:
    """Write a new, working plugin NAME with recipe and tests."""
    from ebmsuite.plugins.template import write_plugin

    folder = write_plugin(name, out or Path(f"ebmsuite-{name}"))
    click.echo(
        f"{folder}: install it here with `uv pip install -e {folder}` (or python -m pip), then: ebm train {name}/first"
    )
