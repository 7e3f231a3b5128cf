"""The picture of a forecast: the past, the backtest's last window, and what comes next with its intervals."""

from __future__ import annotations

import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra._files import write_atomically
from recurra.errors import extra_needed
from recurra.forecasting.run import Forecast

ENDINGS = (".png", ".svg", ".pdf")
MOST_SERIES = 6
# Families with Hangul, which are looked at first for letters that the usual font lacks.
HANGUL = (
    "NanumGothic", "Nanum Gothic", "NanumBarunGothic", "Noto Sans KR", "Noto Sans CJK KR", "Noto Sans CJK JP",
    "Malgun Gothic", "Apple SD Gothic Neo", "AppleGothic", "UnDotum", "Baekmuk Dotum",
)  # fmt: skip
EARLIEST, LATEST = np.datetime64("0100-01-01", "us"), np.datetime64("9900-01-01", "us")
SECONDS_OF_A_YEAR = 365.2425 * 86400
PAST, AHEAD, BEFORE = "#333333", "#0072B2", "#D55E00"  # colours that colour-blind readers tell apart


def plot_forecast(forecast: Forecast, path: str | os.PathLike[str]) -> None:
    """Draws a forecast, of many series the first six, into a PNG, SVG or PDF file, written atomically.

    Args:
        forecast: What `recurra.forecast` returned.
        path: Ends in ".png", ".svg" or ".pdf".

    Raises:
        ValueError: For another ending.
        MissingExtraError: If matplotlib is missing.

    Warns:
        UserWarning: If no installed font has the letters of a name: the picture shows boxes for them.
    """
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(expected("plot", f"a file that ends in {', '.join(ENDINGS)}", repr(path.name)))
    figure, lacking = _figure(forecast)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # fonts without the letters of a name
        figure.savefig(buffer, format=path.suffix[1:].lower(), dpi=130)
    write_atomically(path, buffer.getvalue())
    if lacking:
        letters = "".join(sorted(lacking)[:5])
        hint = "install one, such as Noto Sans CJK or NanumGothic"
        warnings.warn(f"{path.name} shows boxes for {letters!r}: no font has these letters, {hint}", stacklevel=2)


def _figure(forecast: Forecast) -> tuple[Any, set[str]]:
    """Returns the picture, and the letters that no font has."""
    with extra_needed("pictures need", "matplotlib", "forecast"):
        from matplotlib import rc_context, rcParams
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    count = min(forecast.panel.n_series, MOST_SERIES)
    arrays = forecast.forecaster.predict_arrays()
    title = _title(forecast)
    stand_ins, lacking = _fonts_for({*title, *"".join(forecast.panel.ids[:count])})
    with rc_context({"font.family": [*rcParams["font.family"], *stand_ins]}):
        figure = Figure(figsize=(10, 1.2 + 3.4 * count), layout="constrained")
        FigureCanvasAgg(figure)
        for i, axes in enumerate(figure.subplots(count, 1, squeeze=False).ravel()):
            _draw(axes, forecast, arrays, i)
        figure.suptitle(title, fontsize=11, parse_math=False)  # names may hold $
    return figure, lacking


def _fonts_for(letters: set[str]) -> tuple[list[str], set[str]]:
    """Returns families that have the letters which the usual font lacks, and those that none has."""
    from matplotlib import font_manager

    def without(letters: set[str], path: str) -> set[str]:
        known = font_manager.get_font(path).get_charmap()
        return {letter for letter in letters if ord(letter) not in known}

    usual = font_manager.findfont(font_manager.FontProperties())
    lacking = without({letter for letter in letters if letter.isprintable()}, usual)
    families: list[str] = []
    installed = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    for family in (*HANGUL, *sorted(installed)):
        only_boxes = "lastresort" in family.replace(" ", "").lower()  # of which matplotlib 3.11 brings one
        if lacking and family in installed and not only_boxes:
            still = without(lacking, installed[family])
            if len(still) < len(lacking):
                families.append(family)
                lacking = still
    return families, lacking


def _title(forecast: Forecast) -> str:
    row = next(row for row in forecast.backtest.rows if row["model"] == forecast.model)
    windows, n_series = forecast.backtest.n_windows, forecast.panel.n_series
    mase = f", MASE {row['MASE']:.2f}" if np.isfinite(row["MASE"]) else ""  # there is none of constant series
    score = f"sMAPE {row['sMAPE']:.1f} %{mase} over {windows} backtest window{'s' * (windows > 1)}"
    shown = f" (the first {MOST_SERIES} of {n_series} series)" if n_series > MOST_SERIES else ""
    ahead = f"next {forecast.horizon} values" if forecast.horizon > 1 else "next value"
    return f"{forecast.panel.target_col}, {ahead} by {forecast.model}{shown}: {score}"


def _axis(times: np.ndarray) -> np.ndarray:
    """Returns places on the axis of times: years as numbers where dates are too early or too late for matplotlib."""
    if times.dtype.kind != "M":
        return times
    if times.min() >= EARLIEST and times.max() < LATEST:
        return times.astype(object)
    return 1970 + times.astype("datetime64[s]").astype(np.int64) / SECONDS_OF_A_YEAR


def _draw(axes: Any, forecast: Forecast, arrays: dict[str, np.ndarray], i: int) -> None:
    panel, horizon = forecast.panel, forecast.horizon
    values, times = panel.series(i), panel.series_times(i)
    shown = min(len(values), max(6 * horizon, 3 * forecast.season_length if forecast.season_length < 400 else 0, 60))
    places = _axis(np.concatenate([times[-shown:], panel.freq.future(times[-1], horizon)]))
    axes.plot(places[:shown], values[-shown:], color=PAST, linewidth=1.3, label="past")
    single = horizon == 1  # a line or an area of one point would not be seen
    cutoff = shown - len(values) + int(forecast.backtest.last_known[i])
    if cutoff < shown:  # else the series ends before it
        axes.plot(
            places[cutoff : cutoff + horizon],
            forecast.backtest.last[forecast.model]["y_hat"][i],
            color=BEFORE,
            linewidth=1.3,
            linestyle="--",
            marker="D" * single,
            label="backtest, last window",
        )
    ahead = places[shown:]
    for level, strength, width in ((95, 0.15, 10), (80, 0.28, 6)):
        low, high, label = arrays[f"lo-{level}"][i], arrays[f"hi-{level}"][i], f"{level} % interval"
        if single:
            axes.vlines(ahead, low, high, color=AHEAD, alpha=2 * strength, linewidth=width, label=label)
        else:
            axes.fill_between(ahead, low, high, color=AHEAD, alpha=strength, linewidth=0, label=label)
    axes.plot(ahead, arrays["y_hat"][i], color=AHEAD, linewidth=1.8, marker="o" * single, label="forecast")
    if panel.n_series > 1:
        axes.set_title(panel.ids[i], fontsize=10, parse_math=False)
    if places.dtype == object:  # short labels: those of a 31st and the day after would lie on each other
        from matplotlib.dates import ConciseDateFormatter

        axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="best", fontsize=8, framealpha=0.8, edgecolor="none")
