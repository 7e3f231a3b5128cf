"""The app and its commands; each command's work is in the file of its name."""

from __future__ import annotations

import typer

from recurra.cli.backtest import backtest
from recurra.cli.convert import convert
from recurra.cli.demo import demo
from recurra.cli.forecast import forecast
from recurra.cli.info import info
from recurra.cli.show import show

app = typer.Typer(
    help="Recurrent networks and honest forecasts on a CPU.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(forecast)
app.command()(backtest)
app.command()(show)
app.command()(convert)
app.command()(demo)
app.command()(info)
