"""What is shown while a model trains."""

import math

from recurra import utils


def test_lines_show_negative_numbers_as_keras_s_do(capsys):
    values = [("loss", -0.16128), ("mae", 0.5), ("tiny", 0.0005), ("nan", math.nan)]
    for verbose in (1, 2):
        utils.Progbar(1, verbose=verbose).update(1, values)
    bar, line = capsys.readouterr().out.splitlines()
    assert bar.endswith(" - loss: -0.1613 - mae: 0.5000 - tiny: 5.0000e-04 - nan: nan")
    assert line.endswith(" - loss: -1.6128e-01 - mae: 0.5000 - tiny: 5.0000e-04 - nan: nan")
