"""The entry point of `recurra`: its commands, and how mistakes are told."""

from __future__ import annotations

import contextlib
import os
import sys

STOPPED = 130  # as shells say it of Ctrl-C


def main(argv: list[str] | None = None) -> int:
    """Runs a command; returns the exit code: 0, 1 for a mistake by the user, 2 for a wrong call, 130 for Ctrl-C."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, as some schedulers start programs
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    try:
        import typer
    except ImportError:
        print('the recurra command needs more libraries: pip install "recurra[forecast]"', file=sys.stderr)
        return 1
    from recurra.cli.commands import app

    with contextlib.suppress(AttributeError):  # a stream of another kind, which takes all letters
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    command = typer.main.get_command(app)
    try:
        result = command.main(args=argv, prog_name="recurra", standalone_mode=False)
        sys.stdout.flush()
        return _stopped() if result == STOPPED else int(result or 0)
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest as it ends
        return 1
    except Exception as error:
        return _tell(error)


def _stopped() -> int:
    print("stopped", file=sys.stderr)
    return STOPPED


def _tell(error: Exception) -> int:
    """Prints an error of the user's in one line and returns the exit code; raises what is a defect of recurra's."""
    from recurra.errors import RecurraError

    show = getattr(error, "format_message", None)
    if type(error).__name__ == "NoArgsIsHelpError" and show is not None:  # `recurra` alone: its message is the help
        print(show(), file=sys.stderr)
        return 2
    if show is not None:  # a wrong option or argument, as the parser tells it
        print(f"recurra: {' '.join(show().split())}", file=sys.stderr)
        return int(getattr(error, "exit_code", 2))
    if type(error).__name__ == "Abort":  # what some versions of the parser make of Ctrl-C; others return 130
        return _stopped()
    if type(error).__name__ == "Exit":
        return int(getattr(error, "exit_code", 0))
    if isinstance(error, (RecurraError, OSError, ValueError)):
        print(f"recurra: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    raise error
