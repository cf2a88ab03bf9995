"""A file described, read, and judged for training."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping

import polars as pl
from pydantic import JsonValue

from ordergap import ingest
from ordergap.contract.hyperparameters import column_options
from ordergap.contract.orders import FEW_CUSTOMERS, FEW_DAYS, Columns, Conventions, DataReport
from ordergap.contract.presets import WITHOUT_DATES
from ordergap.errors import UserError
from ordergap.histories import Histories
from ordergap.ingest import Orders
from ordergap.ingest.walking import printable
from ordergap.inspection import sample
from ordergap.inspection.contents import Content, odd_cells, of_column
from ordergap.inspection.result import Cell, Column, Inspection
from ordergap.inspection.roles import Proposal, currency_column, propose
from ordergap.inspection.totals import is_total
from ordergap.inspection.understanding import understood

_LONGEST = 60  # characters of a cell that are shown
_AMOUNTS = ("quantity", "price", "amount")


def inspect(orders: Orders, **options: object) -> Inspection:
    """What a file of order lines is, before anything is learnt from it; `print` it for the text.

    orders   as in `fit`
    options  of reading, where known, such as ``customer_column="Email"`` or ``preset="shopify"``;
             the other ones are proposed

    Its `options` are those to call `fit` with. A file that cannot be read is described as far as it
    can be, with the reader's refusal. Raises InvalidHyperparameters for wrong options.
    """
    parsed = column_options(options)
    given = {name: parsed[name] for name, value in options.items() if value not in (None, "")}
    path = os.fspath(orders) if isinstance(orders, str | os.PathLike) else None
    source = printable(path) if path else "the frame"
    try:
        taken = sample.take(orders, Columns.model_validate(given))
    except UserError as error:
        files, lines = sample.glimpse(orders)
        shown = _differing(Columns.model_validate(given))
        return Inspection(
            source=source, files=files, first_lines=lines, options=shown, refusal=str(error)
        )
    if taken.header_line is not None:
        given["header_line"] = taken.header_line
    contents = {column.name: of_column(column) for column in taken.cells}
    proposal = propose(taken.cells, contents, given)
    columns = Columns.model_validate(proposal.options)
    cleaned, refusal = None, None
    problems = [*_missing(proposal, contents)]
    if not problems:
        try:
            cleaned = ingest.read(orders, columns)
        except UserError as error:
            refusal = str(error)
    if cleaned:
        problems += _untrainable(cleaned.histories)
    report = cleaned.report if cleaned else None
    shown = _differing(columns)
    command = _command(path, shown) if path and cleaned and not problems else None
    return Inspection(
        source=source,
        files=taken.files,
        rows_looked_at=len(taken.cells),
        columns=_columns(contents, columns, report),
        preset=proposal.preset,
        options=shown,
        others=proposal.others,
        report=report,
        refusal=refusal,
        problems=tuple(problems),
        advice=(
            *proposal.doubts,
            *_money(taken.cells, contents, columns),
            *(_size(report) if report else ()),
        ),
        command=command,
    )


def _missing(proposal: Proposal, contents: Mapping[str, Content]) -> Iterator[str]:
    """Why a file cannot be read for want of a column."""
    if "date_column" not in proposal.options:
        for name, (known_by, why) in WITHOUT_DATES.items():
            if set(known_by) <= contents.keys():
                yield f"this is {name}, which cannot be forecast from: {why}"
                return
        yield "no column reads as dates: name it with date_column, and its form with date_format"
    if "customer_column" not in proposal.options:
        yield "no column looks like customers: name it with customer_column"


def _untrainable(histories: Histories) -> Iterator[str]:
    if len(histories) and histories.day.min() == histories.day.max():
        yield "all orders are of one day: give transactions of several months"
    elif not (histories.order_count > 1).any():
        yield (
            "no customer has two orders: check customer_column, or give a longer period; an id "
            "that is new with every order is no customer's"
        )


def _size(report: DataReport) -> Iterator[str]:
    """What the orders are short of."""
    if report.customers < FEW_CUSTOMERS:
        yield f"{report.customers:,} customers: forecasts are steadier from {FEW_CUSTOMERS} on"
    if report.first_day and report.last_day:
        days = (report.last_day - report.first_day).days + 1
        if days < FEW_DAYS:
            yield f"{days} days: forecasts are steadier from {FEW_DAYS} on"


def _money(cells: pl.DataFrame, contents: Mapping[str, Content], columns: Columns) -> Iterator[str]:
    """Amounts of several currencies, and amounts of orders that stand on each of their lines."""
    if name := currency_column(contents):
        content = contents[name]
        codes = content.texts.str.to_uppercase().unique(maintain_order=True).to_list()
        if len(codes) > 1:
            yield (
                f'"{name}" has {len(codes)} currencies, such as {codes[0]} and {codes[1]}: their '
                "amounts would be added up; convert them, or give the orders of one currency"
            )
    order, amount, product = columns.order_column, columns.amount_column, columns.product_column
    if amount in contents and is_total(cells, str(amount), order, product):
        yield (
            f'"{amount}" is the same on all lines of an order: if it is the order\'s, it is '
            "counted once for each line; name the line's with amount_column"
        )


def _columns(
    contents: Mapping[str, Content], columns: Columns, report: DataReport | None
) -> tuple[Column, ...]:
    options = {
        getattr(columns, option): option
        for option in Columns.model_fields
        if option.endswith("_column") and not (option == "price_column" and columns.amount_column)
    }
    conventions = report.conventions if report else Conventions()
    return tuple(
        _column(name, content, options.get(name), columns, conventions)
        for name, content in contents.items()
    )


def _column(
    name: str, content: Content, option: str | None, columns: Columns, conventions: Conventions
) -> Column:
    role = (option or "").removesuffix("_column")
    odd = content.texts[1:6] if role == "status" else odd_cells(content, amounts=role in _AMOUNTS)
    texts = [*content.texts.head(1), *odd]
    values = understood(role, content.texts, columns, conventions) if option else content.texts
    by_text = dict(zip(content.texts, values, strict=True))
    cells = ((text[:_LONGEST], by_text[text]) for text in texts)
    return Column(
        name=name,
        kind=content.kind,
        filled=round(content.filled, 4),
        different=len(content.texts),
        option=option,
        cells=tuple(Cell(text=text, value=value and value[:_LONGEST]) for text, value in cells),
    )


def _differing(columns: Columns) -> dict[str, JsonValue]:
    """The options that differ from the preset's, or from the defaults."""
    preset = {"preset": columns.preset} if columns.preset else {}
    usual = Columns.model_validate(preset).model_dump(mode="json")
    values = columns.model_dump(mode="json")
    return preset | {name: value for name, value in values.items() if value != usual[name]}


def _command(path: str, options: Mapping[str, JsonValue]) -> str:
    words = ["ordergap", "train"]
    for name, value in {"file_path": path, **options}.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        # A value that begins with a dash would be taken for an option.
        words += [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]
    return shlex.join(words)
