"""The command ``ebm``: parses arguments, calls functions, prints results. Sub-commands are imported on use."""

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
    "train": "train a recipe, or resume a run",
    "sample": "draw samples from a trained model",
    "apply": "use a trained model for a task, such as inpainting",
    "evaluate": "score a domain, a recipe or a run, and compare with published numbers",
    "diagnose": "check whether the chains of a run converge and what its energy means",
    "report": "write the HTML page of a run",
    "list": "list the components of the installed plugins",
    "show": "show the settings, types, defaults and paper of a component",
    "plugins": "list the installed plugins, check a plugin, or create a new one",
}


class Commands(click.Group):
    """The commands of the suite, followed by the commands that plugins add."""

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
            hint = f"; did you mean {close[0]}?" if close else f"; the commands are: {', '.join(COMMANDS)}"
            raise click.UsageError(f'no command "{args[0]}"{hint}')
        return super().resolve_command(context, args)


def _plugin_commands() -> Mapping[str, Command]:
    from ebmsuite.plugins.discovery import installed

    return installed().commands()


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ebmsuite", prog_name="ebm")
def cli() -> None:
    """Train, sample, diagnose and evaluate energy-based generative models.

    Start with `ebm train image/digits`. An error is shown as one line; add --debug to any command for the traceback.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the console script. The exit status is 0, 1 (run stopped), 2 (user error) or 130 (interrupted)."""
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
    """Exit. If this is one of several processes, exit without the shutdown of the interpreter.

    Threads of the process group may still run during the shutdown. If one of them outlives an object that it uses, it
    aborts the process, although all work is done ("terminate called without an active exception").
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
