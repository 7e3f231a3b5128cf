"""The picture is drawn, for one series and for several, whatever the names."""

import numpy as np
import pytest

from recurra.forecasting import Panel, forecast
from recurra.forecasting.plot import plot_forecast


@pytest.mark.parametrize("ending, start", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_written(tmp_path, ending, start):
    panel = Panel.from_arrays([np.arange(40.0), np.arange(40.0) ** 2], ids=["서울 판매", "부산"])
    path = tmp_path / f"picture.{ending}"
    plot_forecast(forecast(panel, 4, model="drift"), path)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a file that ends in \.png, \.svg, \.pdf"):
        plot_forecast(forecast(Panel.from_arrays([np.arange(40.0)]), 4, model="drift"), tmp_path / "picture.txt")
