"""The picture is drawn, for one series and for several, whatever the names."""

import io
import typing
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager, rcParams

from recurra.forecasting import Panel, forecast
from recurra.forecasting.plot import _figure, plot_forecast
from recurra.forecasting.run import Forecast


@pytest.mark.parametrize("ending, start", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_written(tmp_path, ending, start):
    panel = Panel.from_arrays([np.arange(40.0), np.arange(40.0) ** 2], ids=["São Paulo", "Αθήνα"])
    path = tmp_path / f"picture.{ending}"
    plot_forecast(forecast(panel, 4, model="drift"), path)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_one_step_ahead_is_seen():
    made = forecast(Panel.from_arrays([np.arange(40.0) % 7]), 1, model="naive")
    (axes,) = _figure(made)[0].axes
    arrays = made.forecaster.predict_arrays()
    bars = [bar.get_segments()[0][:, 1] for bar in axes.collections]
    for bar, level in zip(bars, (95, 80), strict=True):
        np.testing.assert_allclose(bar, [arrays[f"lo-{level}"][0, 0], arrays[f"hi-{level}"][0, 0]])
    assert [line.get_marker() for line in axes.lines if len(line.get_xdata()) == 1] == ["D", "o"]


def test_the_last_window_of_a_backtest_is_drawn_where_it_was():
    days = np.datetime64("2024-01-01", "ms") + np.arange(60).astype("timedelta64[D]")
    frames = [pandas.DataFrame({"unique_id": str(n), "ds": days[:n], "y": np.arange(n) % 7.0}) for n in (60, 57, 40)]
    axes = _figure(forecast(pandas.concat(frames), 6, model="naive"))[0].axes
    dashed = [[line for line in each.lines if line.get_linestyle() == "--"] for each in axes]
    assert [len(lines) for lines in dashed] == [1, 1, 0]  # the third series ends before the cutoff
    for (line,) in dashed[:2]:
        np.testing.assert_array_equal(line.get_xdata(), days[54:].astype(object))


def test_labels_of_dates_do_not_lie_on_each_other():
    hours = np.datetime64("2012-12-31", "ms") - np.arange(400)[::-1].astype("timedelta64[h]")
    frame = pandas.DataFrame({"ds": hours, "y": np.sin(np.arange(400))})
    figure, _ = _figure(forecast(frame, 48, model="naive", n_windows=1))
    figure.savefig(io.BytesIO())
    boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels() if label.get_text()]
    assert len(boxes) > 4
    assert all(box.x1 < following.x0 for box, following in pairwise(boxes))


def test_the_legend_leaves_the_past_to_be_seen():
    values = np.arange(40.0) % 3
    values[2:5] = 50.0
    figure, _ = _figure(forecast(Panel.from_arrays([values]), 4, model="naive"))
    figure.savefig(io.BytesIO())
    (axes,) = figure.axes
    box = axes.get_legend().get_window_extent()
    assert not any(box.contains(*point) for point in axes.transData.transform(axes.lines[0].get_xydata()))


def test_the_title_says_how_many_series_are_shown():
    titles = []
    for count in (6, 8):
        made = forecast(Panel.from_arrays([np.arange(40.0) + i for i in range(count)]), 2, model="naive")
        titles.append(_figure(made)[0].get_suptitle())
    assert "series" not in titles[0]
    assert "(the first 6 of 8 series)" in titles[1]


def made_font(path, name, letters):
    """Writes a font that has these letters alone."""
    names = [".notdef", *(f"uni{ord(letter):04X}" for letter in letters)]
    square = TTGlyphPen(None)
    for i, corner in enumerate([(0, 0), (0, 500), (500, 500), (500, 0)]):
        (square.lineTo if i else square.moveTo)(corner)
    square.closePath()
    glyph = square.glyph()
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(letter): glyph_name for letter, glyph_name in zip(letters, names[1:], strict=True)})
    font.setupGlyf(dict.fromkeys(names, glyph))
    font.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": name, "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(path)
    return font_manager.FontEntry(fname=str(path), name=name)


def fonts_without_hangul():
    return [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu")]


@pytest.mark.parametrize("names", [["Malgun Gothic"], ["Some Korean Font"], ["AppleGothic", "Zeta"]])
def test_korean_names_take_installed_fonts_that_have_the_letters(names, tmp_path, monkeypatch, caplog):
    parts = ["서울부산"] if len(names) == 1 else ["서울", "부산"]
    made = [made_font(tmp_path / f"{i}.ttf", *one) for i, one in enumerate(zip(names, parts, strict=True))]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts_without_hangul() + made)
    result = forecast(Panel.from_arrays([np.arange(40.0)] * 2, ids=["서울", "부산"]), 2, model="naive")
    figure, lacking = _figure(result)
    assert figure.axes[0].title.get_fontfamily() == [*rcParams["font.family"], *names]
    assert not lacking
    plot_forecast(result, tmp_path / "picture.png")  # every warning is an error here
    assert caplog.text == ""  # where matplotlib says that it does not know a family


@pytest.mark.parametrize("boxes", ["Last Resort", "Last Resort High-Efficiency", ".LastResort"])
def test_letters_that_no_font_has_are_told_in_one_line(boxes, tmp_path, monkeypatch):
    fonts = [*fonts_without_hangul(), made_font(tmp_path / "boxes.ttf", boxes, "서울부산")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    result = forecast(Panel.from_arrays([np.arange(40.0)] * 2, ids=["서울", "부산"]), 2, model="naive")
    with pytest.warns(UserWarning, match=r"^picture.png shows boxes for '부산서울': no font has these letters") as told:
        plot_forecast(result, tmp_path / "picture.png")
    assert len(told) == 1
    assert (tmp_path / "picture.png").exists()


def test_a_constant_series_has_no_mase_in_the_title():
    made = forecast(Panel.from_arrays([np.full(40, 7.0)]), 2, model="naive")
    assert _figure(made)[0].get_suptitle() == "y, next 2 values by naive: sMAPE 0.0 % over 12 backtest windows"


def test_names_may_hold_dollars(tmp_path):
    panel = replace(Panel.from_arrays([np.arange(40.0)] * 2, ids=["$\\foo$", "b"]), target_col="cost ($) of $x_^")
    figure, _ = _figure(forecast(panel, 2, model="naive"))
    figure.savefig(io.BytesIO())
    assert not figure.axes[0].title.get_parse_math()


@pytest.mark.parametrize("first", ["0001-01", "9970-01"])
def test_years_that_matplotlib_does_not_know_are_numbers(tmp_path, first):
    months = np.datetime64(first) + np.arange(36)
    frame = pandas.DataFrame({"month": months.astype(str), "y": np.arange(36.0)})
    made = forecast(frame, 12, model="naive")
    figure, _ = _figure(made)
    figure.savefig(io.BytesIO())
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_xdata(), int(first[:4]) + np.arange(36) / 12, atol=0.01)


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a file that ends in \.png, \.svg, \.pdf"):
        plot_forecast(forecast(Panel.from_arrays([np.arange(40.0)]), 4, model="drift"), tmp_path / "picture.txt")


def test_type_hints_of_the_function_that_draws_are_found():
    assert typing.get_type_hints(plot_forecast)["forecast"] is Forecast
