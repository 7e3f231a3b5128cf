"""Forecasting: a file or a frame in; a forecast with intervals and an honest backtest out."""

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do
from recurra.forecasting.backtest import Backtest
from recurra.forecasting.forecaster import Forecaster
from recurra.forecasting.frame import read_panel
from recurra.forecasting.panel import Panel
from recurra.forecasting.plot import plot_forecast
from recurra.forecasting.run import Forecast, forecast

__all__ = ["Backtest", "Forecast", "Forecaster", "Panel", "forecast", "plot_forecast", "read_panel"]

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do("recurra.forecasting")
