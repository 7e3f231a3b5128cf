"""The app and its commands; each command's work is in the file of its name."""

from __future__ import annotations

from typing import Annotated

import typer

from recurra._version import __version__
from recurra.cli.backtest import backtest
from recurra.cli.convert import convert
from recurra.cli.demo import demo
from recurra.cli.forecast import forecast
from recurra.cli.info import info
from recurra.cli.show import show

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"recurra {__version__}")
        raise typer.Exit


@app.callback()
def recurra(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Recurrent networks and honest forecasts on a CPU."""


app.command()(forecast)
app.command()(backtest)
app.command()(show)
app.command()(convert)
app.command()(demo)
app.command()(info)
