"""Kernels stay under ceilings of instructions, calls under ceilings of Python: counts, whatever the machine does."""

import pytest

import costs

HOW = "if that is meant, `make ceilings` sets new ones, and the commit says why"


@pytest.fixture(scope="module")
def driver():
    if missing := costs.missing_tool():
        pytest.skip(missing)
    return costs.build_driver()


@pytest.mark.parametrize("case", costs.KERNELS)
def test_kernels_stay_under_their_ceilings_of_instructions_and_reads(driver, case):
    counted, ceilings = costs.count_kernel(driver, case), costs.read_ceilings()[case]
    for what, cost, ceiling in zip(("instructions", "reads"), counted, ceilings, strict=True):
        assert cost <= ceiling, f"{case}: {cost:.2f} {what} a vector, ceiling {ceiling:.2f}; {HOW}"


@pytest.mark.parametrize("what", costs.PYTHON)
def test_calls_stay_under_their_ceiling_of_python(what):
    counted, (ceiling,) = costs.PYTHON[what](), costs.read_ceilings()[what]
    assert counted <= ceiling, f"{what}: {counted} calls, ceiling {ceiling}; {HOW}"


def test_every_case_has_its_ceilings():
    assert set(costs.read_ceilings()) == {*costs.KERNELS, *costs.PYTHON}
