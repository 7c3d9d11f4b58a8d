"""The command ``ebm``: parses, calls, prints. Each sub-command is imported when it is used."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from ebmsuite.errors import Interrupted, Stopped, UserError
from ebmsuite.experiment.launch import place
from ebmsuite.files import full_disk

if TYPE_CHECKING:
    from ebmsuite.hookspecs import Command

__all__ = ["cli", "main"]

COMMANDS = {
    "train": "learn a recipe, or go on with a run",
    "sample": "draw from a trained model",
    "apply": "put a trained model to a task",
    "evaluate": "numbers beside the published ones, for a domain, a recipe or a run",
    "diagnose": "do the chains of a run converge, and what does its energy mean",
    "report": "write the page of a run",
    "list": "what the installed plugins offer",
    "show": "settings, defaults, types and paper of a component",
    "plugins": "the installed plugins: list, check, new",
}


class Commands(click.Group):
    """Our commands by name, then those that plugins add."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [*COMMANDS, *(n for n in _plugin_commands() if n not in COMMANDS)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            module = importlib.import_module(f"ebmsuite.cli.{name}_command")
            command: click.Command = module.command
            return command
        if name in _plugin_commands():
            from ebmsuite.plugins.registry import import_target

            found: click.Command = import_target(_plugin_commands()[name].target)
            return found
        return None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        rows = list(COMMANDS.items()) + [
            (c.name, c.summary) for c in _plugin_commands().values() if c.name not in COMMANDS
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        if args and args[0] not in self.list_commands(context) and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self.list_commands(context), n=1)
            hint = f"; did you mean {close[0]}?" if close else f" (there are: {', '.join(COMMANDS)})"
            raise click.UsageError(f'no command "{args[0]}"{hint}')
        return super().resolve_command(context, args)


def _plugin_commands() -> Mapping[str, Command]:
    from ebmsuite.plugins.discovery import installed

    return installed().commands()


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ebmsuite", prog_name="ebm")
def cli() -> None:
    """Energy-based generative models: train, watch, sample, evaluate.

    Start with `ebm train image/digits`. Errors are one line; --debug, anywhere, shows where they come from.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The console script; exits 0, 1 (the run was stopped), 2 (the user can mend it) or 130 (interrupted)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    logging.getLogger("ebmsuite").handlers = [handler]
    if debug:
        logging.getLogger("ebmsuite").setLevel(logging.DEBUG)
    try:
        code = cli.main(arguments, prog_name="ebm", standalone_mode=False)
    except click.exceptions.Exit as exit:
        code = exit.exit_code
    except click.ClickException as error:
        code = _say(error.format_message(), 2, debug)
    except UserError as error:
        code = _say(str(error), 2, debug)
    except Stopped as error:
        code = _say(str(error), 1, debug)
    except (Interrupted, KeyboardInterrupt, click.exceptions.Abort) as error:
        code = _say(str(error) or "interrupted", 130, debug)
    except BrokenPipeError:  # `ebm list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except OSError as error:
        if error.filename is None and not full_disk(error):
            raise
        code = _say(f"{error.filename or 'a file'}: {error.strerror}", 2, debug)
    _leave(code if isinstance(code, int) else 0)


def _leave(code: int) -> NoReturn:
    """Exit. One of several processes leaves without unwinding the interpreter.

    Threads of its process group may still run then, and one that outlives what it uses aborts a process that has
    done all its work ("terminate called without an active exception").
    """
    if place() is not None:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _say(text: str, code: int, debug: bool) -> int:
    if debug:
        raise
    found = place()
    if found is None or found.rank == 0:
        print(f"ebm: {' '.join(text.split())}", file=sys.stderr)
    return code
