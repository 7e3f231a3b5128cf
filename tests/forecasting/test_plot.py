"""The picture is drawn, for one series and for several, whatever the names."""

import io
import warnings
from dataclasses import replace

import numpy as np
import pandas
import pytest
from matplotlib import font_manager, rcParams

from recurra.forecasting import Panel, forecast
from recurra.forecasting.plot import HANGUL, _figure, plot_forecast


@pytest.mark.parametrize("ending, start", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_written(tmp_path, ending, start):
    panel = Panel.from_arrays([np.arange(40.0), np.arange(40.0) ** 2], ids=["서울 판매", "부산"])
    path = tmp_path / f"picture.{ending}"
    plot_forecast(forecast(panel, 4, model="drift"), path)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_one_step_ahead_is_seen():
    made = forecast(Panel.from_arrays([np.arange(40.0) % 7]), 1, model="naive")
    (axes,) = _figure(made).axes
    arrays = made.forecaster.predict_arrays()
    bars = [bar.get_segments()[0][:, 1] for bar in axes.collections]
    for bar, level in zip(bars, (95, 80), strict=True):
        np.testing.assert_allclose(bar, [arrays[f"lo-{level}"][0, 0], arrays[f"hi-{level}"][0, 0]])
    assert [line.get_marker() for line in axes.lines if len(line.get_xdata()) == 1] == ["D", "o"]


def test_the_title_says_how_many_series_are_shown():
    titles = []
    for count in (6, 8):
        made = forecast(Panel.from_arrays([np.arange(40.0) + i for i in range(count)]), 2, model="naive")
        titles.append(_figure(made).get_suptitle())
    assert "series" not in titles[0]
    assert "(the first 6 of 8 series)" in titles[1]


@pytest.mark.parametrize("installed", [False, True])
def test_korean_names_take_an_installed_font(installed, monkeypatch, caplog):
    fonts = font_manager.fontManager.ttflist
    plain = [font for font in fonts if font.name not in HANGUL]
    stand_in = font_manager.FontEntry(fname=font_manager.findfont("DejaVu Sans"), name="Malgun Gothic")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", plain + [stand_in] * installed)
    figure = _figure(forecast(Panel.from_arrays([np.arange(40.0)] * 2, ids=["서울", "부산"]), 2, model="naive"))
    usual = rcParams["font.family"]
    assert figure.axes[0].title.get_fontfamily() == [*usual, *["Malgun Gothic"] * installed]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(io.BytesIO())
    assert caplog.text == ""  # where matplotlib says that it does not know a family


def test_names_may_hold_dollars(tmp_path):
    panel = replace(Panel.from_arrays([np.arange(40.0)] * 2, ids=["$\\foo$", "b"]), target_col="cost ($) of $x_^")
    figure = _figure(forecast(panel, 2, model="naive"))
    figure.savefig(io.BytesIO())
    assert not figure.axes[0].title.get_parse_math()


@pytest.mark.parametrize("first", ["0001-01", "9970-01"])
def test_years_that_matplotlib_does_not_know_are_numbers(tmp_path, first):
    months = np.datetime64(first) + np.arange(36)
    frame = pandas.DataFrame({"month": months.astype(str), "y": np.arange(36.0)})
    made = forecast(frame, 12, model="naive")
    _figure(made).savefig(io.BytesIO())
    line = _figure(made).axes[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), int(first[:4]) + np.arange(36) / 12, atol=0.01)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a file that ends in \.png, \.svg, \.pdf"):
        plot_forecast(forecast(Panel.from_arrays([np.arange(40.0)]), 4, model="drift"), tmp_path / "picture.txt")
