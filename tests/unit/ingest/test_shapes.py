"""The shapes that files of orders come in: text, archives, workbooks, JSON, folders."""

import bz2
import codecs
import datetime
import gzip
import io
import json
import lzma
import os
import pickle
import re
import sqlite3
import sys
import zipfile
from pathlib import Path

import polars as pl
import pytest
from ordergap import inspect
from ordergap.contract.orders import Columns, Conventions
from ordergap.errors import DataError, MissingColumn, UnsupportedMediaType
from ordergap.ingest import read, scanning
from ordergap.ingest.sources import data_files, find, open_source
from pydantic import ValidationError

from tests.workbook import workbook

COLUMNS = Columns(
    customer_column="Client", date_column="Day", product_column="Item", amount_column="Total"
)
NAMES = ["Client", "Day", "Item", "Total"]
ROWS = [
    ["ana", "2022-01-11", "HANGING HEART", "6.50"],
    ["bo", "2022-01-12", 'LANTERN, "WHITE"', "3"],
    ["ana", "2022-02-03", "HAND WARMER", "12"],
]
PLAIN = [[cell.replace('"', "").replace(",", "") for cell in row] for row in ROWS]
MANY = [["cy", "2022-03-01", "FILLER " + "X" * 60, "1"]] * 1500  # more than is looked at at first


def lines(rows, delimiter=",", head=NAMES):
    return "".join(delimiter.join(row) + "\n" for row in [head, *rows])


def csv(rows, delimiter=","):
    cells = [['"' + c.replace('"', '""') + '"' if '"' in c else c for c in row] for row in rows]
    return lines(cells, delimiter)


def versioned(body, columns=COLUMNS, name="a.csv", content_type=None, conventions=None):
    body = body.encode() if isinstance(body, str) else body
    source = open_source(name, body, content_type)
    return scanning.read(
        source, columns, lambda version: (version.frame.collect(), version), conventions
    )


def rows(body, columns=COLUMNS, **more):
    frame, _ = versioned(body, columns, **more)
    return [["" if cell is None else str(cell) for cell in row] for row in frame.rows()]


def notes(body, columns=COLUMNS, **more):
    _, version = versioned(body, columns, **more)
    return " | ".join(f"{sentence} ({example})" for sentence, example in version.notes.items())


def refusal(body, columns=COLUMNS, error=DataError, **more):
    with pytest.raises(error) as caught:
        rows(body, columns, **more)
    return str(caught.value)


def zipped(files):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return body.getvalue()


def columns(**options):
    return COLUMNS.model_copy(update=options)


class TestHeader:
    def test_names_have_plain_blanks_in_the_file_and_in_the_options(self):
        body = '"Client\n\u00a0ID\u200b"," Day ",Item,Total\nana,2022-01-11,X,1\n'
        asked = Columns(
            customer_column="Client  ID", date_column="Day\u00a0", amount_column="Total"
        )
        frame, _ = versioned(body, asked)
        assert frame.columns == ["Client ID", "Day", "Item", "Total"]
        assert frame.rows() == [("ana", "2022-01-11", "X", "1")]

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_lines_above_the_header_are_refused_naming_its_line_and_read_when_it_is_said(
        self, filler
    ):
        body = 'Sales "report" 2022\nStore: Main Street, 5\n\n' + csv(ROWS + filler)
        assert "the header of a.csv is on line 4" in refusal(body)
        assert "set header_line to 4" in refusal(body)
        assert rows(body, columns(header_line=4)) == ROWS + filler

    def test_another_header_line_than_the_right_one_is_refused_naming_that(self):
        assert "on line 2" in refusal("a title\n" + csv(ROWS), columns(header_line=1))
        assert "has no header on line 9" in refusal(csv(ROWS), columns(header_line=9))
        assert "has no header on line 1" in refusal("\n" + csv(ROWS), columns(header_line=1))

    @pytest.mark.parametrize("body", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b"sep=;\n"])
    def test_a_file_of_a_mark_alone_has_no_header(self, body):
        assert "has no header" in refusal(body)

    def test_lines_above_a_header_of_other_names_are_noticed_by_its_width(self):
        body = "Sales report\nfor 2022\n" + lines(PLAIN, head=["Kunde", "Datum", "Ware", "Summe"])
        assert "seems to be on line 3" in refusal(body)
        assert "header_line to 3" in refusal(body)

    def test_data_without_a_header_are_said_to_have_none(self):
        message = refusal(csv(ROWS).partition("\n")[2], error=MissingColumn)
        assert "its first line looks like data, not a header" in message
        assert "Client" in message

    @pytest.mark.parametrize("delimiter", [";", ",", "\t", "|", "^"])
    def test_a_line_that_names_the_delimiter_decides(self, delimiter):
        assert rows(f"sep={delimiter}\n" + lines(PLAIN, delimiter)) == PLAIN
        assert rows(f"sep={delimiter}\r\n" + lines(PLAIN, delimiter).replace("\n", "\r\n")) == PLAIN


class TestWithoutHeader:
    NUMBERED = Columns(
        customer_column="column 1", date_column="column 2", amount_column="column 4", header_line=0
    )

    @pytest.mark.parametrize("filler", [[], MANY])
    @pytest.mark.parametrize("delimiter", [",", "\t", "|", "\x01", "~"])
    def test_columns_have_numbers_for_names(self, filler, delimiter):
        table = csv(filler + PLAIN, delimiter).partition("\n")[2]
        assert rows(table, self.NUMBERED) == filler + PLAIN
        assert "the columns are column 1 to column 4" in notes(table, self.NUMBERED)
        assert rows("sep=" + delimiter + "\n" + table, self.NUMBERED) == filler + PLAIN

    def test_the_refusal_of_such_a_file_says_so(self):
        assert "set header_line to 0" in refusal(lines(PLAIN).partition("\n")[2])

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_what_mysql_writes_into_an_outfile(self, filler):
        table = [["ana", "2022-01-11", 'a 5" nail', r"\N"], ["bo\tx", "2022-01-12", "a\nb", r"\."]]
        written = [
            [re.sub("([\t\n\\\\])", r"\\\1", c) if c != r"\N" else c for c in r] for r in table
        ]
        body = lines(filler + written, "\t").partition("\n")[2]
        assert rows(body, self.NUMBERED)[-2:] == table
        assert "backslash" in notes(body, self.NUMBERED)

    def test_workbooks_may_lack_one_too(self):
        body = workbook({"A": TestWorkbooks.SHEET[1:]})
        frame, _ = versioned(body, self.NUMBERED)
        assert frame.columns == [f"column {n}" for n in range(1, 5)]
        assert frame["column 1"].to_list() == ["ana", "17850", "17850"]


class TestPrintedLists:
    @staticmethod
    def printed(table, rule="-", title=True):
        widths = [max(map(len, column)) for column in zip(NAMES, *table, strict=True)]
        line = "|" + "|".join(rule * width for width in widths) + "|"
        out = ["01.02.2022      Dynamic List Display      1", "", line] if title else []
        for number, row in enumerate([NAMES, *table]):
            if number in {1, 700} or (number == 3 and title):
                out += [line] + ["01.02.2022      Dynamic List Display      2"] * title
                out += ["|" + "|".join(map(str.ljust, NAMES, widths)) + "|", line][number == 1 :]
            out.append("|" + "|".join(map(str.rjust, row, widths)) + "|")
        return "\r\n".join([*out, line, ""])

    @pytest.mark.parametrize("filler", [[], MANY])
    @pytest.mark.parametrize("title", [False, True])
    def test_rows_between_lines_of_dashes(self, filler, title):
        body = self.printed(filler + PLAIN, title=title)
        assert rows(body.encode("cp1252")) == filler + PLAIN
        said = notes(body)
        assert "printed list" in said
        assert ("no rows" in said) == title

    def test_what_clients_of_databases_print(self):
        body = self.printed(PLAIN, title=False).replace("-|-", "-+-").replace("|-", "+-")
        assert rows(body + "3 rows in set (0.00 sec)\n") == PLAIN

    def test_rows_that_were_wrapped_are_refused_naming_the_line(self):
        body = self.printed(PLAIN, title=False).replace("HAND WARMER|", "HAND WARMER\r\n")
        assert "line 6 of a.csv is a row without its first or last bar" in refusal(body)

    def test_a_file_of_bars_with_blank_columns_is_none(self):
        for table in (PLAIN, [[*row[:2], row[2] + ' \\"', row[3]] for row in PLAIN]):
            body = "\n".join("|" + "|".join(row) for row in [NAMES, *table])
            assert rows(body) == [["", *row] for row in table]

    def test_blank_rows_of_bars_alone_make_none(self):
        blank = "|" * (len(NAMES) - 1)
        assert rows("\n".join(["|".join(NAMES), blank, blank])) == []


class TestDelimitedText:
    def test_columns_of_a_fixed_width_are_refused_with_the_command_that_makes_csv_of_them(self):
        for table in (PLAIN, [[*row[:3], f"{row[3]},5"] for row in PLAIN]):
            body = "".join("".join(c.ljust(18) for c in row) + "\n" for row in [NAMES, *table])
            assert "pandas.read_fwf('a.csv', dtype=str)" in refusal(body)
        padded = [[cell.ljust(14) for cell in row] for row in PLAIN]
        assert "header_line to 2" in refusal("Report\n" + lines(padded, ";", [*NAMES[:3], "x"]))

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", "\x01"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    @pytest.mark.parametrize("last", [True, False])
    def test_delimiters_and_line_ends(self, delimiter, end, last):
        body = csv(ROWS if delimiter == "," else PLAIN, delimiter).replace("\n", end)
        expected = ROWS if delimiter == "," else PLAIN
        assert rows(body if last else body.removesuffix(end)) == expected
        assert (repr(delimiter) in notes(body)) == (delimiter != ",")

    def test_a_blank_after_the_comma_is_no_part_of_a_cell(self):
        body = 'Client, Day, Item, Total\nana, 2022-01-11, "HEART, RED", 3\n'
        assert rows(body) == [["ana", "2022-01-11", "HEART, RED", "3"]]
        assert rows(body.replace("Client, Day, Item, Total", ",".join(NAMES))) == rows(body)

    def test_backslashes_escape_quotation_marks_and_nulls_stay(self):
        body = lines([['"ana"', '"2022-01-11"', r'"5\" \\ nail, \"best\""', r"\N"]])
        assert rows(body) == [["ana", "2022-01-11", r'5" \ nail, "best"', r"\N"]]
        assert "backslash" in notes(body)

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_tabs_without_quoting_and_names_in_quotation_marks(self, filler):
        table = [
            *filler,
            ["ana", "2022-01-11", '"Best" thing', "3"],
            ["bo", "2022-01-12", '5" x', "1"],
        ]
        assert rows(lines(table, "\t")) == table
        assert "quotation marks were read as part of the cells" in notes(lines(table, "\t"))

    def test_quotation_marks_that_may_or_may_not_be_part_of_cells_are_refused(self):
        message = refusal(lines([["bo", "2022-01-12", '"', '1"'], ["ed", "", "", '""']], "\t"))
        assert "line 2 has 3 of 4 cells, else" in message

    def test_stray_quotation_marks_in_a_quoted_file_are_refused_naming_the_line(self):
        table = [['"ana"', "2022-01-11", '"A ""B"""', "1"], ['"bo"', "2022-01-12", '"C', "1"]]
        assert re.search(r"line 3 of a\.csv is not CSV", refusal(lines(table)))

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_rows_with_more_cells_are_refused_naming_line_and_numbers(self, filler):
        body = csv(filler + ROWS) + "ana,2022-03-01,X,1,234.50\n"
        line = len(filler) + 5
        assert f"line {line} of a.csv has 5 cells, the header 4: quote" in refusal(body)

    def test_rownames_without_a_name_are_refused_with_that_remedy(self):
        body = lines([[str(i), *row] for i, row in enumerate(PLAIN, 1)])
        assert re.search("line 2 .* 5 cells, the header 4.*write.table", refusal(body))

    def test_surplus_cells_that_are_empty_do_no_harm(self):
        body = csv(ROWS).replace("\n", ",, \n").replace("Total,, ", "Total")
        assert rows(body) == ROWS

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_rows_with_fewer_cells_are_read_and_counted(self, filler):
        body = csv(filler + ROWS) + "di,2022-03-02\ned\n"
        assert rows(body)[-2:] == [["di", "2022-03-02", "", ""], ["ed", "", "", ""]]
        assert f"2 in a.csv, the first: line {len(filler) + 5} has 2 of 4 cells" in notes(body)

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_empty_last_cells_are_not_missing_ones(self, filler):
        body = csv([*filler, ["ana", "2022-01-11", "X", ""], ["bo", "", "", ""]])
        assert rows(body)[-2:] == [["ana", "2022-01-11", "X", ""], ["bo", "", "", ""]]
        assert not notes(body)

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_cells_with_honest_line_breaks_stay(self, filler):
        cell = "12 Main St, Apt 4\nSpringfield, IL, 62701, US\n\nring, please, twice"
        body = csv([*filler, ["ana", "2022-01-11", "@", "3"], *ROWS]).replace("@", f'"{cell}"')
        assert rows(body)[len(filler)] == ["ana", "2022-01-11", cell, "3"]
        assert not notes(body)

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_quotation_marks_that_swallow_lines_are_no_quotation_marks(self, filler):
        table = [
            *filler,
            ["ana", "2022-01-11", '"BEST nail', "3"],
            ["bo", "2022-01-12", "X", "4"],
            ["cy", "2022-01-13", 'nail 5"', "5"],
            ["di", "2022-01-14", 'a "', "6"],
        ]
        assert rows(lines(table)) == table
        assert "part of the cells" in notes(lines(table))

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_quotation_marks_that_swallow_lines_of_quoted_files_are_refused(self, filler):
        table = [
            *filler,
            ["ana", "2022-01-11", '"A, B"', "3"],
            ["bo", "2022-01-12", '"C nail', "3"],
            ["cy", "2022-01-13", 'nail 5"', "5"],
        ]
        assert f"quotation mark on line {len(filler) + 3} of a.csv" in refusal(lines(table))

    @pytest.mark.parametrize("filler", [[], MANY])
    @pytest.mark.parametrize("cell", [r"say \"hi\"", 'say "hi" twice'])
    def test_odd_quotation_marks_far_down_a_file_that_quotes_everything(self, filler, cell):
        quoted = [[f'"{cell}"' for cell in row] for row in filler + PLAIN]
        body = lines(quoted) + f'"ana","2022-01-11","{cell}","3"\n'
        if "\\" in cell:
            assert rows(body)[-1] == ["ana", "2022-01-11", 'say "hi"', "3"]
        else:
            assert f"line {len(filler) + 5} of a.csv is not CSV" in refusal(body)


class TestEncodings:
    TEXT = csv([["Zoë", "2022-01-11", "CAFÉ", "3"], *ROWS])
    BYTES = TEXT.encode("cp1252")

    @pytest.mark.parametrize(
        "encoding",
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"],
    )
    def test_what_marks_and_bytes_of_zero_show(self, encoding):
        frame, version = versioned(self.TEXT.encode(encoding))
        assert frame["Client"][0] == "Zoë"
        assert version.encoding is None

    def test_utf_16_without_a_mark_may_be_big_endian_and_marked_text_too(self):
        body = codecs.BOM_UTF16_BE + self.TEXT.encode("utf-16-be")
        assert rows(body)[0][0] == "Zoë"
        assert "UTF-16" in notes(body)

    @pytest.mark.parametrize("filler", [[], MANY])
    def test_windows_1252_is_a_guess_that_is_said_with_a_line(self, filler):
        body = csv([*filler, ["Zoë", "2022-01-11", "CAFÉ", "3"]]).encode("cp1252")
        frame, version = versioned(body)
        assert frame["Client"][-1] == "Zoë"
        assert version.encoding == "cp1252"
        said = notes(body)
        assert "read as Windows-1252; if that is wrong, set encoding" in said
        assert f'line {len(filler) + 2} of a.csv has "Zoë,2022-01-11' in said

    def test_an_encoding_that_is_said_is_used_and_no_guess(self):
        frame, version = versioned(self.TEXT.encode("cp850"), columns(encoding="cp850"))
        assert frame["Client"][0] == "Zoë"
        assert (version.encoding, dict(version.notes)) == (None, {})

    def test_bytes_that_the_encoding_does_not_have_are_refused_naming_the_line(self):
        body = csv(ROWS).encode() + b"Zo\xeb,2022-01-11,X,1\n"
        assert "line 5 of a.csv" in refusal(body, columns(encoding="utf-8"))
        assert "line 5 of a.csv" in refusal(body, columns(encoding="ascii"))

    @pytest.mark.parametrize("name", ["no-such", "rot13", "hex", "utf\0"])
    def test_what_is_no_encoding_of_text_is_refused(self, name):
        with pytest.raises(ValidationError, match="is not an encoding of text: give one such as"):
            Columns(encoding=name)

    def test_bytes_that_windows_1252_does_not_have_are_shown_in_several_readings(self):
        body = csv([*ROWS, ["Zülpich", "2022-01-11", "X", "3"]]).encode("cp850")
        message = refusal(body)
        assert "Line 5" in message
        assert '"Zülpich,2022-01-11,X,3" (encoding=cp850)' in message
        assert message.count("(encoding=") == 3

    def test_text_that_is_mostly_utf_8_is_not_guessed_to_be_something_else(self):
        table = csv([["Zoë", "2022-01-11", "CAFÉ", "3"]] * 3).encode() + b"Zo\xeb,2022-01-12,X,1\n"
        message = refusal(table)
        assert "line 5 of a.csv is not UTF-8" in message
        assert "encoding" in message

    def test_a_model_s_encoding_holds_for_later_text_that_is_not_utf_8(self):
        known = Conventions(encoding="cp850")
        frame, version = versioned(self.TEXT.encode("cp850"), conventions=known)
        assert (frame["Client"][0], version.encoding) == ("Zoë", "cp850")
        assert rows(self.TEXT, conventions=known)[0][0] == "Zoë"
        with pytest.raises(DataError, match=r"line 2 .* not ascii"):
            versioned(self.BYTES, conventions=Conventions(encoding="ascii"))

    def test_json_may_have_another_encoding(self):
        body = json.dumps(
            [dict(zip(NAMES, ["Zoë", *ROWS[0][1:]], strict=True))], ensure_ascii=False
        )
        assert rows(body.encode("utf-16"))[0][0] == "Zoë"
        assert rows(body.encode("cp1252"))[0][0] == "Zoë"


class TestWorkbooks:
    DAY = datetime.datetime(2022, 1, 11, 8, 5)  # noqa: DTZ001 - workbooks have no time zones
    SHEET = (
        NAMES,
        ["ana", DAY, 22423, 6.5],
        [17850, datetime.date(2022, 1, 12), "71053A", 3],
        [None, None, None, None],
        [17850.0, datetime.date(2022, 1, 12), "71053A", 1.125],
    )

    def test_cells_keep_their_types(self):
        frame, _ = versioned(workbook({"Orders": self.SHEET}))
        assert frame["Client"].to_list() == ["ana", "17850", "17850"]
        assert frame["Day"].dtype == pl.Datetime("us")
        assert frame["Day"][0] == self.DAY
        assert frame["Item"].to_list() == ["22423", "71053A", "71053A"]
        assert frame["Total"].to_list() == [6.5, 3, 1.125]

    def test_days_as_text_beside_days_are_text(self):
        frame, _ = versioned(workbook({"Orders": [*self.SHEET, ["bo", "13/01/2022", "X", 1]]}))
        assert frame["Day"].to_list()[::3] == ["2022-01-11 08:05:00", "13/01/2022"]

    def test_all_sheets_with_the_columns_are_read_and_the_others_said(self):
        body = workbook(
            {"2009": self.SHEET, "Notes": [["about"], ["x"]], "2010": self.SHEET, "": []}
        )
        assert len(rows(body)) == 6
        assert '"2009", "2010"' in notes(body)
        assert 'passed over: "Notes" (1 rows)' in notes(body)

    def test_a_sheet_whose_header_is_further_down_is_no_sheet_without_the_columns(self):
        body = workbook({"2010": self.SHEET, "2009": [["Sales report"], [None], *self.SHEET]})
        assert 'the header of sheet "2009" of a.csv is on line 3: set header_line to 3' in refusal(
            body
        )
        assert len(rows(body, columns(header_line=3))) == 6

    def test_where_no_sheet_has_the_columns_they_are_all_listed(self):
        body = workbook({"A": [["Kunde", "Day"], ["x", 1]], "B": [["x"], ["y"]]})
        message = refusal(body, error=MissingColumn)
        assert "Client" in message
        assert '"A" has Kunde, Day; "B" has x' in message

    def test_lines_above_the_header(self):
        body = workbook({"A": [["Sales report"], [None], *self.SHEET]})
        assert "on line 3: set header_line to 3" in refusal(body)
        assert len(rows(body, columns(header_line=3))) == 3

    def test_the_header_may_begin_below_and_beside_empty_cells(self):
        body = workbook({"A": [[], [], *([None, *row] for row in self.SHEET)]})
        assert versioned(body)[0]["Client"].to_list() == ["ana", "17850", "17850"]

    @pytest.mark.parametrize("body", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)])
    def test_a_damaged_workbook_is_refused_in_a_sentence(self, body):
        assert "a.xls cannot be read as a workbook" in refusal(body, name="a.xls")

    def test_a_cut_workbook_is_refused_in_a_sentence(self):
        assert "a.xlsx cannot be read" in refusal(workbook({"A": self.SHEET})[:900], name="a.xlsx")

    def test_a_document_is_no_workbook(self):
        body = zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": "<x/>"})
        assert "a.docx is a document" in refusal(body, name="a.docx")


class TestArchives:
    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
    def test_compressed_files_are_read_whatever_is_in_them(self, pack):
        frame = pl.DataFrame(ROWS, schema=NAMES, orient="row")
        parquet = io.BytesIO()
        frame.write_parquet(parquet)
        for body in (csv(ROWS).encode(), parquet.getvalue(), frame.write_ndjson().encode()):
            assert rows(pack(body)) == ROWS
        assert len(rows(pack(workbook({"A": TestWorkbooks.SHEET})))) == 3

    @pytest.mark.parametrize("name", ["orders.csv", "folder/orders.csv.gz", "orders.parquet"])
    def test_a_zip_archive_of_one_data_file_is_read(self, name):
        frame = pl.DataFrame(ROWS, schema=NAMES, orient="row")
        parquet = io.BytesIO()
        frame.write_parquet(parquet)
        text = csv(ROWS).encode()
        bodies = {"csv": text, "gz": gzip.compress(text), "parquet": parquet.getvalue()}
        files = {name: bodies[name.rpartition(".")[2]], "README.txt": "x", "__MACOSX/._a": "x"}
        assert rows(zipped(files)) == ROWS

    def test_a_workbook_in_a_zip_archive_is_read(self):
        assert len(rows(zipped({"a.xlsx": workbook({"A": TestWorkbooks.SHEET})}))) == 3

    def test_an_archive_of_several_files_of_none_and_of_archives_is_refused_naming_them(self):
        message = refusal(zipped({"a.csv": "x", "b.csv": "y"}), name="z.zip")
        assert "z.zip has 2 files (a.csv, b.csv): unzip it into a folder" in message
        assert "no data file" in refusal(zipped({"README.md": "x"}))
        assert "zip archive again" in refusal(zipped({"a.zip": zipped({"a.csv": "x"})}))

    @pytest.mark.parametrize(
        ("body", "what"),
        [
            (b"\x28\xb5\x2f\xfd" + bytes(9), "zstd"),
            (b"7z\xbc\xaf\x27\x1c" + bytes(9), "7z archive"),
            (b"Rar!\x1a\x07\x01\x00", "RAR archive"),
            (b"ORC\x0a\x0b\0\0", "ORC"),
            (b"Obj\x01\x04\x14", "Avro"),
            (b"SQLite format 3\0" + bytes(99), "SQLite"),
            (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
            (b"\xef\xbb\xbf <!DOCTYPE html><html>", "HTML page"),
            (b"<table><tr><td>Client</td></tr></table>", "HTML page"),
            (b'<?xml version="1.0"?><orders/>', "XML"),
            (b"{\\rtf1\\ansi", "RTF"),
            (pickle.dumps({"a": 1}), "pickle"),
            (b"\x89HDF\r\n\x1a\n", "HDF5"),
            (gzip.compress(bytes(257) + b"ustar\0" + bytes(300), mtime=0), "tar archive"),
            (b"-- MySQL dump 10.13\n--\n\nDROP TABLE IF EXISTS `orders`;\n", "SQL script"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        ],
    )  # fmt: skip
    def test_what_is_not_read_is_refused_by_name(self, body, what):
        message = refusal(body, name="orders.xls")
        assert what in message
        assert re.search("save|unpack|compress|export|run|pull", message)

    def test_a_column_of_another_language_is_no_sql_and_no_html(self):
        for name in ("Set name", "Use", "ORCID", "GIF"):
            body = lines([["x", *row] for row in PLAIN], head=[name, *NAMES])
            assert rows(body)[0] == ["x", *PLAIN[0]]


class TestJson:
    OBJECTS = tuple(dict(zip(NAMES, [*row[:3], float(row[3])], strict=True)) for row in ROWS)
    EXPECTED = tuple([*row[:3], str(float(row[3]))] for row in ROWS)

    @pytest.mark.parametrize(
        "text",
        [
            json.dumps(OBJECTS),
            json.dumps(OBJECTS, indent=2),
            "\n".join(map(json.dumps, OBJECTS)),
            "\n".join(json.dumps(each, indent=1) for each in OBJECTS),
            json.dumps({"shop": "a", "orders": OBJECTS}),
            json.dumps({"orders": OBJECTS, "tags": ["x"]}, indent=2),
        ],
    )
    @pytest.mark.parametrize("content_type", [None, "application/json"])
    def test_arrays_lines_and_a_list_under_a_key(self, text, content_type):
        found = rows(text, name="a.json", content_type=content_type)
        assert [[*row[:3], str(float(row[3]))] for row in found] == list(self.EXPECTED)

    def test_numbers_keep_their_type_and_identifiers_are_text(self):
        objects = [{**each, "Client": i, "Total": 1.125} for i, each in enumerate(self.OBJECTS)]
        for text in ("\n".join(map(json.dumps, objects)), json.dumps(objects)):
            frame, _ = versioned(text)
            assert frame["Total"].dtype == pl.Float64
            assert frame["Client"].cast(pl.String).to_list() == ["0", "1", "2"]

    def test_several_lists_are_refused_naming_their_keys(self):
        message = refusal(json.dumps({"orders": self.OBJECTS, "refunds": self.OBJECTS}))
        assert "orders, refunds" in message

    @pytest.mark.parametrize("indent", [None, 1])
    def test_nested_values_of_a_wanted_column_are_refused_by_name(self, indent):
        objects = [{**each, "Client": {"id": 1}} for each in self.OBJECTS]
        assert '"Client" of a.csv holds objects' in refusal(json.dumps(objects, indent=indent))
        assert '"Client" of' in refusal("\n".join(map(json.dumps, objects)))
        others = [{**each, "tags": ["x"]} for each in self.OBJECTS]
        assert len(rows(json.dumps(others, indent=indent))) == 3

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('[{"Client": 1},\n{"Client"]', "line 2 of a.csv is not JSON"),
            ("[[1, 2]]", "value 1 of a.csv is no JSON object"),
            ('{"Client": 1}\n{"Client"', "line 2 of a.csv is not JSON"),
        ],
    )
    def test_what_is_no_json_of_objects_is_refused(self, text, message):
        assert message in refusal(text)

    TWICE = '{"Client": "ana", "Day": "2022-01-11", "Total": 3, "Item": "}", "Total": 5}'

    @pytest.mark.parametrize("layout", ["lines", "array", "indented", "odd lines"])
    def test_a_key_that_an_object_has_twice_is_refused_with_the_line(self, layout):
        others = [json.dumps({**each, "tags": {"Total": 1}}) for each in self.OBJECTS]
        others += ['{"Client": "bo", "Day": "2022-01-11"}'] * (layout == "odd lines")
        objects = "\n".join([*others, self.TWICE, *others])
        line = len(others) + 1
        if layout == "array":
            objects, line = "[\n" + ",\n".join([*others, self.TWICE]) + "]", line + 1
        elif layout == "indented":
            objects, line = self.TWICE.replace(", ", ",\n"), 5
        assert f'line {line} of a.csv has "Total" twice' in refusal(objects)

    def test_the_same_key_in_a_nested_object_or_in_a_text_is_no_second_one(self):
        objects = [{**each, "tags": {"Total": 1}, "note": '"Total": 5'} for each in self.OBJECTS]
        assert len(rows("\n".join(map(json.dumps, objects)))) == 3


class TestContentTypes:
    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/octet-stream", "application/x-gzip", "application/gzip",
         "application/zip", "application/vnd.ms-excel", "text/plain; charset=utf-8"],
    )  # fmt: skip
    def test_a_type_that_says_nothing_of_the_format_leaves_it_to_the_file(self, content_type):
        for body in (
            csv(ROWS).encode(),
            gzip.compress(csv(ROWS).encode(), mtime=0),
            zipped({"a": csv(ROWS)}),
        ):
            assert rows(body, content_type=content_type) == ROWS
        objects = "\n".join(map(json.dumps, TestJson.OBJECTS))
        assert len(rows(objects, content_type=content_type)) == 3
        assert len(rows(workbook({"A": TestWorkbooks.SHEET}), content_type=content_type)) == 3

    def test_tab_separated_values(self):
        assert rows(csv(PLAIN, "\t"), content_type="text/tab-separated-values") == PLAIN

    def test_others_are_refused_listing_those_that_are_known(self):
        message = refusal(csv(ROWS), content_type="image/png", error=UnsupportedMediaType)
        assert "text/tab-separated-values" in message


class TestFolders:
    def read(self, folder, options=COLUMNS):
        return [
            scanning.read(source, options, lambda version: (version.frame.collect(), version.notes))
            for source in find(folder, date_column=options.date_column)
        ]

    def write(self, folder, files):
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    def test_folders_of_hive_are_columns(self, tmp_path):
        body = "Client,Item,Total\nana,X,3\n"
        self.write(tmp_path, {
            "shop=a%20b/Day=2022-01-11/part-0000": body,
            "shop=c/Day=__HIVE_DEFAULT_PARTITION__/000.csv": body,
        })  # fmt: skip
        found = [frame.to_dicts()[0] for frame, _ in self.read(tmp_path)]
        assert [(row["shop"], row["Day"], row["Client"]) for row in found] == [
            ("a b", "2022-01-11", "ana"),
            ("c", None, "ana"),
        ]
        assert "columns that are in the names of folders: shop, Day" in self.read(tmp_path)[0][1]

    def test_year_month_and_day_of_hive_are_the_date_where_the_file_has_none(self, tmp_path):
        self.write(tmp_path, {"year=2022/month=1/day=9/a.csv": "Client,Item,Total\nana,X,3\n"})
        assert self.read(tmp_path)[0][0]["Day"].to_list() == ["2022-01-09"]
        self.write(tmp_path, {"year=2022/month=1/day=9/a.csv": csv(ROWS)})
        assert self.read(tmp_path)[0][0]["Day"].to_list() == [row[1] for row in ROWS]

    def test_folders_above_the_path_that_are_named_so_count_too(self, tmp_path):
        body = "Client,Item,Total\nana,X,3\n"
        self.write(tmp_path, {"no/x=1/data/year=2022/month=1/day=9/a.csv": body})
        folder = tmp_path / "no/x=1/data/year=2022/month=1"
        for path in (folder.parent, folder, folder / "day=9", folder / "day=9/a.csv"):
            frame, said = self.read(path)[0]
            assert frame["Day"].to_list() == ["2022-01-09"]
            assert "x" not in frame.columns
            assert "columns that are in the names of folders: year, month, day, Day" in said

    def test_what_lies_beside_the_data_is_passed_over_in_one_note(self, tmp_path):
        beside = ["a.csv.metadata", "manifest", "b.manifest", "README", "readme.txt", "LICENSE",
                  "Thumbs.db", "sub/desktop.ini", "x.md", "x.pdf", "x.html", "x.log", "x.sql",
                  "x.py", "x.png", "a.csv.md5", "a.csv.bak", "data_dictionary.csv"]  # fmt: skip
        hidden = ["_SUCCESS", ".hidden", "_delta/log.json"]
        self.write(tmp_path, dict.fromkeys([*beside, *hidden], "x"))
        self.write(tmp_path, dict.fromkeys(["part-00000", "000", "a.csv", "sub/b.txt"], csv(ROWS)))
        found = self.read(tmp_path)
        assert len(found) == len(data_files(tmp_path)) == 4
        (note,) = {tuple(notes) for _, notes in found}
        assert note == (f"{len(beside)} files beside the data passed over, such as LICENSE",)

    def test_files_without_columns_of_orders_are_passed_over_by_name_beside_orders(self, tmp_path):
        self.write(tmp_path, {
            "a.csv": csv(ROWS),
            "customers.csv": "Client,City\nana,Leeds\nbo,York\n",
            "items.jsonl": '{"Item": "X", "Total": 3}\n',
            "notes.txt": "We, the shop,\n\nsell lanterns, and hearts.\n",
        })  # fmt: skip
        cleaned = read(tmp_path, COLUMNS)
        assert cleaned.report.rows_read == 3
        note = "customers.csv (3 lines), items.jsonl (1 rows), notes.txt (3 lines)"
        assert f"passed over, as they have no columns of orders: {note}" in cleaned.report.notes

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("Client,Date,Item,Total\nana,2022-01-11,X,3\n", 'no column "Day"'),
            ("Kunde;Datum;InvoiceNo;Item;Total\nana;2022-01-11;1;X;3\n", 'no column "Client"'),
            (csv(ROWS).partition("\n")[2], "looks like data, not a header"),
            ("Report\n\nfor Leeds\n" + csv(ROWS), "header_line to 4"),
        ],
    )
    def test_files_that_may_have_orders_are_not_passed_over(self, tmp_path, body, message):
        self.write(tmp_path, {"a.csv": csv(ROWS), "b.csv": body})
        with pytest.raises(DataError, match=message):
            read(tmp_path, COLUMNS)

    @pytest.mark.parametrize(
        ("table", "message"),
        [([["Report"], NAMES, *PLAIN], "header_line to 2"), (PLAIN, r"^b\.xlsx has no column")],
    )
    def test_workbooks_that_may_have_orders_are_not_passed_over(self, tmp_path, table, message):
        self.write(tmp_path, {"a.csv": csv(ROWS), "b.xlsx": workbook({"A": table})})
        with pytest.raises(DataError, match=message):
            read(tmp_path, COLUMNS)

    def test_without_a_file_of_orders_none_is_passed_over(self, tmp_path):
        self.write(tmp_path, {"b.csv": "Client,City\nana,Leeds\n", "c.csv": "x\n"})
        with pytest.raises(MissingColumn, match=r"^b.csv has no column"):
            read(tmp_path, COLUMNS)

    def test_a_folder_without_data_is_refused_naming_what_is_there(self, tmp_path):
        self.write(tmp_path, {"README.md": "x", "manifest": "x"})
        with pytest.raises(DataError, match=r"no data files \(only README.md, manifest\)"):
            self.read(tmp_path)

    @pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
    def test_links_are_followed_and_lead_to_each_file_once(self, tmp_path):
        folder = tmp_path / "data"
        self.write(tmp_path, {"data/a.csv": csv(ROWS), "other/Day=2022-01-11/b.csv": csv(ROWS)})
        self.write(folder, {"sub/c.csv": csv(ROWS)})
        (folder / "more").symlink_to(tmp_path / "other", target_is_directory=True)
        (folder / "latest").symlink_to("sub", target_is_directory=True)
        (folder / "sub" / "loop").symlink_to(folder, target_is_directory=True)
        (folder / "again.csv").symlink_to("a.csv")
        found = [str(file.relative_to(folder)) for file in data_files(folder)]
        assert found == ["a.csv", "more/Day=2022-01-11/b.csv", "sub/c.csv"]

    @pytest.mark.skipif(sys.platform != "linux", reason="pipes and names of any bytes")
    def test_what_is_there_and_cannot_be_read_is_refused_by_name(self, tmp_path, monkeypatch):
        self.write(tmp_path, {"a.csv": csv(ROWS)})
        (tmp_path / "b.csv").symlink_to("gone.csv")
        with pytest.raises(DataError, match=r"b\.csv is a link to gone\.csv, which cannot be read"):
            self.read(tmp_path)
        (tmp_path / "b.csv").unlink()
        os.mkfifo(tmp_path / "b.csv")
        for path in (tmp_path, tmp_path / "b.csv"):
            with pytest.raises(DataError, match=r"b\.csv is a pipe or a device"):
                self.read(path)
        (tmp_path / "b.csv").unlink()
        odd = tmp_path / os.fsdecode(b"caf\xe9.csv")
        odd.write_text(csv(ROWS))
        for path in (tmp_path, odd):
            with pytest.raises(DataError, match=r"caf\\xe9\.csv is not UTF-8: rename it"):
                self.read(path)
        assert json.loads(inspect(odd).to_json())["source"].endswith(r"caf\xe9.csv")
        odd.unlink()
        (tmp_path / "sub").mkdir()
        listed = Path.iterdir

        def denied(path):
            if path.name == "sub":
                raise PermissionError(13, "Permission denied")
            return listed(path)

        monkeypatch.setattr(Path, "iterdir", denied)
        with pytest.raises(DataError, match=r"sub cannot be read: Permission denied"):
            self.read(tmp_path)

    def test_the_names_of_a_source_s_columns(self, tmp_path):
        self.write(tmp_path, {"shop=a/a.csv": csv(ROWS), "shop=b/b.jsonl": '{"Client":1,"Day":2}'})
        found = [scanning.columns_of(source, COLUMNS) for source in find(tmp_path)]
        assert found == [[*NAMES, "shop"], ["Client", "Day", "shop"]]


def test_an_sqlite_database_is_recognised(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("CREATE TABLE orders (client TEXT)")
    connection.close()
    with pytest.raises(DataError, match="SQLite database"):
        list(find(tmp_path / "shop.db"))


def test_a_header_longer_than_the_beginning_is_read_whole():
    more = [f"a column with a long name {n}" for n in range(4000)]
    body = lines([[*row, *[""] * 4000] for row in PLAIN], ";", [*NAMES, *more])
    assert len(body.partition("\n")[0]) > 1 << 16
    found, _ = versioned(body)
    assert found.select(NAMES).rows() == [tuple(row) for row in PLAIN]


def test_a_file_whose_names_differ_in_letter_case_is_not_passed_over(tmp_path):
    (tmp_path / "1.csv").write_text(lines(PLAIN))
    (tmp_path / "2.csv").write_text(lines(PLAIN, head=["client", "DAY", "item", "total"]))
    with pytest.raises(MissingColumn, match=r'set customer_column to "client"'):
        read(tmp_path, COLUMNS)


@pytest.mark.parametrize("word", ["Total", "Subtotal", "GRAND TOTAL:", "Summe", "Zwischensumme"])
def test_a_sum_at_the_end_is_no_line_of_the_order_above(tmp_path, word):
    """Though it names itself where others name a product."""
    columns = COLUMNS.model_copy(update={"order_column": "Order"})
    table = [[f"o{n // 2}", *row] for n, row in enumerate(PLAIN * 9)]
    body = lines([*table, ["", "", "", word, "999"]], head=["Order", *NAMES])
    (tmp_path / "a.csv").write_text(body)
    assert (read(tmp_path / "a.csv", columns).report.revenue or 999) < 999
