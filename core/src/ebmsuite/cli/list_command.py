from __future__ import annotations

import dataclasses
import json

import click

from ebmsuite.errors import UserError
from ebmsuite.hookspecs import KINDS
from ebmsuite.plugins.registry import Registry


@click.command()
@click.argument("kind", required=False)
@click.option("--domain", "-d", help='List only the components of this plugin, such as image, or of "core".')
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(kind: str | None, domain: str | None, as_json: bool) -> None:
    """List the components of the installed plugins.

    KIND limits the list to one kind, such as energy, sampler, trainer or recipe.
    """
    import difflib

    if kind is not None and kind not in KINDS:
        singular = kind.removesuffix("s")
        if singular in KINDS:
            kind = singular
        else:
            close = difflib.get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"the kinds are: {', '.join(KINDS)}"
            raise UserError(f'no kind "{kind}"; {hint}')
    found = Registry().list(kind, domain)
    if as_json:
        rows = [{"kind": k, **dataclasses.asdict(c)} for k, c in found]
        click.echo(json.dumps(rows, indent=1))
        return
    width = max((len(c.name) for _, c in found), default=0)
    before = None
    for k, component in found:
        if k != before:
            click.echo(("" if before is None else "\n") + click.style(k, bold=True))
            before = k
        click.echo(f"  {component.name:<{width}}  {component.summary}")
