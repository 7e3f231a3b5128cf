"""Files of whatever program and country, and those that are refused in one line."""

import io

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from samples import GOOD, MONTHS, csv, days, write

from recurra.errors import DataError
from recurra.forecasting.frame import read_panel


@pytest.mark.parametrize(
    "separator, number, value",
    [(";", "1,5", 1.5), ("\t", "1.5", 1.5), (",", '"1,234.5"', 1234.5), (";", "1.234,5", 1234.5)],
)
def test_numbers_are_read_in_the_usual_ways(tmp_path, separator, number, value):
    text = csv([(m, number) for m in MONTHS], f"month{separator}sales", separator)
    assert read_panel(write(tmp_path, "\ufeff" + text)).values[0] == value


def test_parquet_is_read(tmp_path):
    pl.DataFrame({"month": MONTHS, "sales": list(range(12))}).write_parquet(tmp_path / "data.parquet")
    assert read_panel(tmp_path / "data.parquet").lengths[0] == 12


def test_files_elsewhere_are_to_be_downloaded():
    with pytest.raises(DataError, match=r"^reading expected an existing file, got 'https://.*': download it first"):
        read_panel("https://example.com/sales.csv")


@pytest.mark.parametrize(
    "start, kind",
    [
        (b"PK\x03\x04", "an Excel or zip file"),
        (b"\xd0\xcf\x11\xe0", "an Excel file"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"ARROW1\x00\x00", "a Feather file"),
        (b"\x80\x04\x95", "a pickle of Python"),
        (b"\x93NUMPY\x01", "an array of NumPy"),
        (b'\xef\xbb\xbf[{"month": 1}]', "JSON"),
        (b'{"month": [1]}', "JSON"),
        (b"\n<!DOCTYPE html>", "a page of HTML or XML"),
        (b"<table><tr>", "a page of HTML or XML"),
    ],
)
def test_files_of_other_programs_are_told_as_such(tmp_path, start, kind):
    (tmp_path / "data.csv").write_bytes(start + bytes(range(256)))
    with pytest.raises(DataError, match=f"a CSV or Parquet file, got {kind}: save the table as CSV"):
        read_panel(tmp_path / "data.csv")


@pytest.mark.parametrize("end", [",", ', ,""'])
def test_rows_may_end_in_separators_that_the_header_lacks(tmp_path, end):
    text = csv([(month, f"{value}{end}") for month, value in GOOD])
    np.testing.assert_array_equal(read_panel(write(tmp_path, text)).values, [value for _, value in GOOD])
    with pytest.raises(DataError, match="the same number of fields in each row"):
        read_panel(write(tmp_path, text + "2021-01,12,7\n"))


@pytest.mark.parametrize("above", ["# made by a tool\n", "Sales of 2020\n\n", "sep=,\n\n \nTitle\n"])
def test_lines_above_the_names_of_columns_are_told_with_the_row(tmp_path, above):
    row = above.count("\n") + 1
    with pytest.raises(
        DataError, match=f"fields in each row, got 2 in row {row} and 1 in the header: delete lines above"
    ):
        read_panel(write(tmp_path, above + csv(GOOD)))


def test_empty_lines_above_the_header_count_as_rows(tmp_path):
    with pytest.raises(DataError, match="got 'many' in row 6"):
        read_panel(write(tmp_path, "\n \n" + csv([*GOOD[:2], ("2020-03", "many"), *GOOD[3:]])))


def test_the_first_column_of_a_file_of_tabs_may_have_no_name(tmp_path):
    panel = read_panel(write(tmp_path, csv(GOOD, "\tsales", "\t")))
    assert (panel.target_col, panel.freq.name) == ("sales", "MS")


def test_lines_may_end_as_on_old_macs(tmp_path):
    np.testing.assert_array_equal(read_panel(write(tmp_path, csv(GOOD).replace("\n", "\r"))).values, range(12))


def test_other_bytes_than_text_are_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        read_panel(path)
    for text, encoding in (("Jahr;Umsätze\n2020;1\n2021;2\n", "latin-1"), ("日付,値\n2020,1\n2021,2\n", "shift_jis")):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(DataError, match="save it as UTF-8"):
            read_panel(path)
    for header, encoding in (("日期,北京,销售", "gbk"), ("日期,銷售", "big5"), ("วันที่,ยอดขาย", "cp874")):
        path.write_bytes(csv([(m, 1, 2)[: header.count(",") + 1] for m in MONTHS], header).encode(encoding))
        with pytest.raises(DataError, match="save it as UTF-8"):
            read_panel(path)
    (tmp_path / "data.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="Parquet"):
        read_panel(tmp_path / "data.parquet")


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-be", "utf-8-sig"])
def test_files_of_korean_spreadsheets_are_read(tmp_path, encoding):
    text = csv(zip(["지점"] * 12, MONTHS, range(12), strict=True), "지점,년월,매출(원)")
    text = "\ufeff" + text if encoding == "utf-16-be" else text
    panel = read_panel(write(tmp_path, text, encoding=encoding), id_col="지점")
    assert (panel.ids, panel.time_col, panel.target_col) == (("지점",), "년월", "매출(원)")
    np.testing.assert_array_equal(panel.values, range(12))
    said = ("the file is not UTF-8: it was read as Korean (cp949)",)
    assert panel.remarks == (said if encoding == "cp949" else ())


def test_a_directory_and_no_file_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"^reading expected a file, got the directory"):
        read_panel(tmp_path)
    with pytest.raises(DataError, match="an existing file"):
        read_panel(tmp_path / "nothing.csv")


@pytest.mark.parametrize(
    "text",
    [
        "1\n2\n3\n",
        *(
            f"{first}\n{second}\n"
            for first, second in (
                ("2024-01-01,3", "2024-01-02,4"),
                ("2024-01-01,Mon,100", "2024-01-02,Tue,101"),
                ("A,2024-01-01,100", "A,2024-01-02,101"),
                ("A,20240101,100", "A,20240102,101"),
                ("2024-01-01,", "2024-01-02,101"),
                ("2024-01-01,NA", "2024-01-02,101"),
                ("2024-01-01,closed", "2024-01-02,101"),
                ("2024-01-01,100원", "2024-01-02,101원"),
                ("01/02/2024;100,5", "02/02/2024;101,5"),
                ("202401,Jan,", "202402,Feb,5"),
            )
        ),
    ],
)
def test_a_file_without_names_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"names of columns in the first line, got '.*': add a line such as date,value"):
        read_panel(write(tmp_path, text))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_line_that_names_the_separator_is_no_header(tmp_path, ending):
    text = f"sep=;{ending}" + csv(zip(days(9), range(9), strict=True), "date;value", ";")
    np.testing.assert_array_equal(read_panel(write(tmp_path, text)).values, np.arange(9))
    with pytest.raises(DataError, match="'x' in row 5"):
        read_panel(write(tmp_path, text.replace("03;2", "03;x")))
    with pytest.raises(DataError, match="below the header"):
        read_panel(write(tmp_path, f"sep=;{ending}"))


@pytest.mark.parametrize(
    "header, row, target, value",
    [
        ("date;price, EUR", "{};100,5", "price, EUR", 100.5),
        ("날짜;매출(원, 부가세 별도, 반품 제외)", "{};100", "매출(원, 부가세 별도, 반품 제외)", 100),
        ("date;n;sales, net", "{};Mo;1,234,567", "sales, net", 1234567),
        ("date\tsales, USD, net", "{}\t100.5", "sales, USD, net", 100.5),
        ("date\tsales, USD", "{}\t1,234", "sales, USD", 1234),
        ("date,\tsales", "{},\t100", "sales", 100),
        ("date,a|b|c", "{},100", "a|b|c", 100),
        ("date|a;b;c", "{}|100", "a;b;c", 100),
        ('"date ; of ; sale";sales, net', '{};"1,5"', "sales, net", 1.5),
    ],
)
def test_the_separator_is_what_parts_rows_as_it_parts_the_header(tmp_path, header, row, target, value):
    panel = read_panel(write(tmp_path, "\n".join([header, *(row.format(day) for day in days(30))]) + "\n"))
    assert (panel.target_col, panel.values[0], panel.lengths[0]) == (target, value, 30)


def test_the_separator_is_found_though_some_rows_end_early(tmp_path):
    rows = [f"{day};{i},5" for i, day in enumerate(days(9))]
    panel = read_panel(
        write(tmp_path, "\n".join(["date;price, EUR, net", *rows[:4], days(5)[4], *rows[5:]])), fill="zero"
    )
    np.testing.assert_array_equal(panel.values, [0.5, 1.5, 2.5, 3.5, 0, 5.5, 6.5, 7.5, 8.5])


def test_separators_inside_quotes_do_not_count(tmp_path):
    panel = read_panel(write(tmp_path, csv(zip(days(9), range(9), strict=True), 'date;"value (a, b, c)"', ";")))
    assert panel.target_col == "value (a, b, c)"


def test_decimals_in_parquet_that_polars_does_not_know_are_refused(tmp_path):
    decimals = pa.array(range(9)).cast(pa.decimal256(50, 2))
    pa.parquet.write_table(pa.table({"ds": days(9), "y": decimals}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"expected decimals of at most 38 digits, got wider ones: write them as"):
        read_panel(tmp_path / "d.parquet")


def test_zones_in_parquet_that_polars_does_not_know_are_refused(tmp_path):
    for zone, name in (("+09:00", "seoul"), ("+05:30", "delhi")):
        times = pd.date_range("2024-01-01", periods=9, tz=zone)
        pd.DataFrame({"ds": times, "y": np.arange(9.0)}).to_parquet(tmp_path / f"{name}.parquet")
    panel = read_panel(tmp_path / "seoul.parquet")
    assert panel.clock.write(panel.future_times(1)) == ["2024-01-10 00:00:00+09:00"]
    with pytest.raises(DataError, match=r"delhi\.parquet expected zones that have a name, such as Asia/Kolkata"):
        read_panel(tmp_path / "delhi.parquet")


def test_zones_that_polars_does_not_know_print_nothing_of_its_own(tmp_path, capfd):
    frame = pa.table({"ds": pa.array(range(9), pa.timestamp("us", tz="-03:30")), "y": np.arange(9.0)})
    pa.parquet.write_table(frame, tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"or whole hours, got -03:30$"):
        read_panel(tmp_path / "d.parquet")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("write", [pl.DataFrame.write_csv, pl.DataFrame.write_parquet])
def test_open_files_are_read(write):
    buffer = io.BytesIO()
    write(pl.DataFrame({"ds": days(9), "y": np.arange(9.0)}), buffer)
    buffer.seek(0)
    assert read_panel(buffer).lengths.tolist() == [9]
    with pytest.raises(DataError, match="the file expected rows of data, got an empty file"):
        read_panel(io.BytesIO())
    with pytest.raises(TypeError, match="a file opened in binary mode, got one that gives str"):
        read_panel(io.StringIO("ds,y"))


@pytest.mark.parametrize("name", ["PM10(㎍/㎥)", "temp(℃)"])
def test_korean_bytes_of_units_alone_are_read(tmp_path, name):
    text = csv(zip(MONTHS, range(12), strict=True), f"date,{name}")
    panel = read_panel(write(tmp_path, text, encoding="cp949"))
    assert (panel.target_col, panel.remarks) == (name, ("the file is not UTF-8: it was read as Korean (cp949)",))
    with pytest.raises(DataError, match="expected text in UTF-8, got other bytes"):
        read_panel(write(tmp_path, text.replace(name, "½"), encoding="cp949"))


@pytest.mark.parametrize("head", ["month,sales,sales", "month,sales, sales"])
def test_columns_of_one_name_are_refused_whatever_blanks_stand_around_it(tmp_path, head):
    with pytest.raises(DataError, match="columns of different names, got 'sales' twice"):
        read_panel(write(tmp_path, csv([(month, i, i) for i, month in enumerate(MONTHS)], head)))
