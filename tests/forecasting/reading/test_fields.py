"""What the fields of a column mean: one decimal sign for all of it."""

import re

import numpy as np
import pandas as pd
import pytest

from recurra.errors import DataError
from recurra.forecasting.reading.fields import (
    decimal_sign,
    is_missing,
    is_number,
    number,
    numbers,
    unmarked,
    without_marks,
)


@pytest.mark.parametrize(
    "texts, values",
    [
        (["0,100", "12,451"], [0.1, 12.451]),
        (["1,5", "1,234"], [1.5, 1.234]),
        (["1.234", "1.234,5"], [1234, 1234.5]),
        (["1.234.567", "2"], [1234567, 2]),
        (["1,234", "1,234.5"], [1234, 1234.5]),
        (["1,234", "5"], [1234, 5]),
        (["0.125", "1,234"], [0.125, 1234]),
        (["10.123", "11.456"], [10.123, 11.456]),
        (["1 234,5", "-2"], [1234.5, -2]),
        (["1e3", ".5", "+7."], [1000, 0.5, 7]),
    ],
)
def test_a_column_has_one_decimal_sign(texts, values):
    sign = decimal_sign(texts)
    assert [number(text, sign) for text in texts] == values


def test_a_comma_that_could_be_either_is_read_as_the_file_says():
    assert decimal_sign(["10,000", "12,451"], otherwise=",") == ","
    assert decimal_sign(["10,000", "12.5"], otherwise=",") == "."
    assert decimal_sign(["10.123", "11.123"], otherwise=",") == "."


@pytest.mark.parametrize("texts", [["1.5", "2,5"], ["1.234", "2,345"]])
def test_two_decimal_signs_are_refused(texts):
    with pytest.raises(DataError, match=f"one decimal sign, got '{texts[0]}' and '{texts[1]}'"):
        decimal_sign(texts)


@pytest.mark.parametrize(
    "texts, values, shown",
    [
        (["$1,234.50", "-$2", "$-3", "", None], [1234.5, -2, -3, np.nan, np.nan], "$1,234.50"),
        (["1.234,50 €", "3 €"], [1234.5, 3], "1.234,50 €"),
        (["₩1,234,567", "￦5"], [1234567, 5], "₩1,234,567"),
        (["1,234,567원", "5 원"], [1234567, 5], "1,234,567원"),
        (["12.5%", "-3 %"], [12.5, -3], "12.5%"),
        (["\\1,234,567", "-\\5"], [1234567, -5], "\\1,234,567"),
        (["( 5 )", "6"], [-5, 6], "( 5 )"),
        (["5", "(1,234.5)"], [5, -1234.5], "(1,234.5)"),
        (["$5.00", " $(1,234.50)", "($7)"], [5, -1234.5, -7], " $(1,234.50)"),
        (["−5", "6"], [-5, 6], None),
        (["1'234.50", "2’000"], [1234.5, 2000], None),
        ([1.5, 2], [1.5, 2], None),
    ],
)
def test_signs_of_money_percent_and_parentheses_are_read(texts, values, shown):
    plain, example = without_marks(texts, "it")
    read, other = numbers(plain, decimal_sign(plain))
    np.testing.assert_array_equal(read, values)
    assert (other, example) == (None, shown)


@pytest.mark.parametrize("one, other", [("$5", "€6"), ("$5", "6"), ("5%", "0.05")])
def test_numbers_of_two_units_are_refused(one, other):
    with pytest.raises(DataError, match=f"it expected numbers of one unit, got '{re.escape(one)}' and '{other}'"):
        without_marks([one, other], "it")


@pytest.mark.parametrize(
    "text",
    ["(-5)", "--5", "-(5)", "5-", "$5%", "(5", "1234(1)", "5-10%", "1.2K", "$ -", "USD 5", "$", "%", "()", "1234¹"],
)
def test_what_may_be_something_else_is_no_number(text):
    assert not is_number(unmarked(text)[0])


@pytest.mark.parametrize("sign", [".", ","])
@pytest.mark.parametrize(
    "values",
    [
        ["1.5", "-2", "1e3", ".5", " 7. ", "inf"],
        ["1.5", "", None, "NA", float("nan")],
        ["1,234.5", "1 234", "12\u00a0345", "-3"],
        ["1.234,5", "1 234,25", "0,5"],
        ["1.5", "1.5x", "2"],
        ["1", "", "12 34"],
        [1, 2.5, True, None],
        [1, "2", "soon"],
        [10**400],
        ["1.\x1c", "2"],
    ],
)
def test_a_column_of_numbers_is_read_as_each_of_its_fields(values, sign):
    alone = [np.nan if is_missing(value) else number(value, sign) for value in values]
    read, other = numbers(values, sign)
    assert other == next((i for i, value in enumerate(alone) if value is None), None)
    if other is None:
        np.testing.assert_array_equal(read, alone)


@pytest.mark.parametrize("text", ["many", "1_000", "1,23,4", "12 34", "0x10", "1.2.3"])
def test_what_is_no_number_is_none(text):
    assert number(text, ".") is None


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT, "", " n/a ", "#N/A", "<NA>", "-", "NULL"])
def test_what_says_nothing_is_missing(value):
    assert is_missing(value)
    assert not is_missing(0) and not is_missing("0")
