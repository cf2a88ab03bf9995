"""Excel workbooks, written with what the standard library has."""

import datetime
import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_START = datetime.datetime(1899, 12, 30)  # noqa: DTZ001 - workbooks have no time zones


def workbook(sheets: Mapping[str, Sequence[Sequence[object]]]) -> bytes:
    """An .xlsx file. Cells are texts, numbers, booleans, days, moments, or None for no cell."""
    body = io.BytesIO()
    numbers = range(1, len(sheets) + 1)
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
            '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
            'ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType='
            '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        )
        archive.writestr("_rels/.rels", _relations({"r1": ("officeDocument", "xl/workbook.xml")}))
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            + "".join(
                f'<sheet name={quoteattr(name)} sheetId="{i}" r:id="r{i}"/>'
                for i, name in zip(numbers, sheets, strict=True)
            )
            + "</sheets></workbook>",
        )
        targets = {f"r{i}": ("worksheet", f"worksheets/sheet{i}.xml") for i in numbers}
        archive.writestr(
            "xl/_rels/workbook.xml.rels", _relations({**targets, "s": ("styles", "styles.xml")})
        )
        formats = "".join(f'<xf numFmtId="{i}" applyNumberFormat="1"/>' for i in (0, 14, 22))
        archive.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{_MAIN}"><cellXfs>{formats}</cellXfs></styleSheet>',
        )
        for i, rows in zip(numbers, sheets.values(), strict=True):
            written = "".join(
                f'<row r="{r}">{"".join(_cell(cell, r, c) for c, cell in enumerate(row))}</row>'
                for r, row in enumerate(rows, 1)
            )
            archive.writestr(
                f"xl/worksheets/sheet{i}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{written}</sheetData></worksheet>',
            )
    return body.getvalue()


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    return f'<Relationships xmlns="{_PACKAGE}/relationships">' + "".join(
        f'<Relationship Id="{name}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for name, (kind, target) in targets.items()
    ) + "</Relationships>"  # fmt: skip


def _cell(value: object, row: int, column: int) -> str:
    place = f'r="{chr(65 + column)}{row}"'
    if value is None:
        return ""
    if isinstance(value, bool):
        return f'<c {place} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f"<c {place}><v>{value!r}</v></c>"
    if isinstance(value, datetime.datetime):
        days = (value - _START) / datetime.timedelta(days=1)
        return f'<c {place} s="2"><v>{days!r}</v></c>'
    if isinstance(value, datetime.date):
        return f'<c {place} s="1"><v>{(value - _START.date()).days}</v></c>'
    text = escape(str(value))
    return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
