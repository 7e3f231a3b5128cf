"""What is shown while a model trains."""

import math
import re
import sys
from itertools import pairwise

import pytest

from recurra import utils
from recurra.callbacks import progress


def test_lines_show_negative_numbers_as_keras_s_do(capsys):
    values = [("loss", -0.16128), ("mae", 0.5), ("tiny", 0.0005), ("nan", math.nan)]
    for verbose in (1, 2):
        utils.Progbar(1, verbose=verbose).update(1, values)
    bar, line = capsys.readouterr().out.splitlines()
    assert bar.endswith(" - loss: -0.1613 - mae: 0.5000 - tiny: 5.0000e-04 - nan: nan")
    assert line.endswith(" - loss: -1.6128e-01 - mae: 0.5000 - tiny: 5.0000e-04 - nan: nan")


@pytest.mark.parametrize(
    ("seconds", "clock", "duration"),
    [
        (3725, "1:02:05", "3725s"),
        (125.9, "2:05", "126s"),
        (60, "60s", "60s"),
        (0, "0s", "0s"),
        (0.25, "0s", "250ms"),
        (5e-5, "0s", "50us"),
    ],
)
def test_times_are_told_as_keras_tells_them(seconds, clock, duration):
    assert (progress._clock(seconds), progress._duration(seconds)) == (clock, duration)


def test_a_line_that_is_drawn_over_covers_the_one_before(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    bar = utils.Progbar(None, interval=0)
    bar.update(1, [("loss", 123456.0)])
    bar.update(2, [("loss", 0.0)], finalize=True)
    lines = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out).removesuffix("\n").split("\r")[1:]
    assert [line.split()[0] for line in lines] == ["1/Unknown", "2/Unknown", "2/2"]
    assert lines[0].rstrip().endswith("loss: 123456.0000") and lines[-1].rstrip().endswith("loss: 0.0000e+00")
    for before, after in pairwise(lines):
        assert len(after) >= len(before.rstrip())
