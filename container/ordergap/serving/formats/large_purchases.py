"""The form of two files: `customers.csv` and `transactions.json`, asked for large purchases.

See docs/decisions/serving.md#two-files-are-one-question.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

import orjson
from pydantic import TypeAdapter, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from ordergap.contract.column_names import column_name
from ordergap.contract.prediction import Threshold
from ordergap.errors import InvalidRequest, Problem
from ordergap.scoring.answer import Placeholder
from ordergap.scoring.options import Options
from ordergap.scoring.problems import LIMIT, near, shorten
from ordergap.serving.formats import records
from ordergap.serving.formats.context import DecodeContext
from ordergap.serving.formats.customers import resolved
from ordergap.serving.formats.question import LargePurchases
from ordergap.survival.renewal import MOST_DAYS

FORM = "multipart/form-data"
CUSTOMERS, TRANSACTIONS = "customers.csv", "transactions.json"
TASK = "large_order"
_OPTIONS = ("as_of", "amount", "days")
_MOST_PARTS = 20
_AMOUNT: TypeAdapter[float] = TypeAdapter(Threshold)
_HINT = f"send the files {CUSTOMERS} and {TRANSACTIONS}, as curl -F customers=@{CUSTOMERS} does"


def read(body: bytes, boundary: str, context: DecodeContext) -> LargePurchases:
    """The question of the two files; those named in either are answered, `CUSTOMERS` first.

    Raises InvalidRequest, and TooLarge where there are more customers or transactions than the
    settings allow. A customer without a transaction gets a placeholder, whatever the settings say.
    """
    amount, days = _own(context)
    fields, files = _parts(body, boundary)
    problems = [_unknown(name) for name in fields if name not in _OPTIONS]
    problems += [
        Problem(f"{name} has no effect on this form", field=name, hint="leave it out")
        for name, value in vars(context.options).items()
        if name != "as_of" and value is not None
    ]
    if problems:
        raise InvalidRequest(problems[:LIMIT])
    options = context.options.merged(Options.parse({"as_of": fields.get("as_of")}))
    amount, days = _asked(fields, amount, days)
    orders = _transactions(files[TRANSACTIONS], context)
    named = _customers(files[CUSTOMERS], context)
    everyone = [*dict.fromkeys([*named, *orders])]
    context.check_size(len(everyone), sum(map(len, orders.values())))
    at = [i for i, customer in enumerate(everyone) if customer in orders]
    those = [
        {"customer_id": each, "orders": orders[each], "attributes": named.get(each)}
        for each in (everyone[i] for i in at)
    ]
    histories, as_of, bad = (records.read_good if context.placeholders else _all_good)(
        those,
        context.today if options.as_of is None else options.as_of,
        rules=records.Rules.of(context.manifest.hyperparameters),
    )
    reason = f"there is no transaction of this customer in {TRANSACTIONS}"
    placeholders = {
        i: Placeholder(customer, reason)
        for i, customer in enumerate(everyone)
        if customer not in orders
    }
    placeholders |= {at[i]: placeholder for i, placeholder in bad.items()}
    options = replace(options, horizons=(days,), large_thresholds=(amount,))
    return LargePurchases(histories, as_of, options, placeholders, amount=amount, days=days)


def _all_good(*args: Any, **options: Any) -> Any:
    return *records.read(*args, **options), {}


def _own(context: DecodeContext) -> tuple[float, int]:
    """The model's first amount, and its horizon of value; InvalidRequest where it has none."""
    manifest = context.manifest
    if TASK not in manifest.tasks:
        reason = manifest.unanswered.get(TASK, "it was not trained to")
        hint = "ask in another form when a customer orders next"
        if manifest.hyperparameters.large_orders == "off":
            hint += ", or train with large_orders = on"
        message = f"this model does not say whether a large order comes: {reason}"
        raise InvalidRequest([Problem(message, hint=hint)])
    thresholds = cast("list[float]", manifest.tasks[TASK].parameters["thresholds"])
    return thresholds[0], manifest.hyperparameters.value_horizon


def _parts(body: bytes, boundary: str) -> tuple[dict[str, str], dict[str, bytes]]:
    """Field -> text, and the two files by their names. Raises InvalidRequest."""
    try:
        form, found = MultiPartParser(_in_memory, max_form_parts=_MOST_PARTS).parse(
            io.BytesIO(body), boundary.encode(), len(body)
        )
    except RequestEntityTooLarge as error:
        message = f"the form has more than {_MOST_PARTS} parts"
        raise InvalidRequest([Problem(message, hint=_HINT)]) from error
    except ValueError as error:
        message = "the body is not of parts divided by the boundary that the Content-Type names"
        raise InvalidRequest([Problem(message, hint=_HINT)]) from error
    files: dict[str, bytes] = {}
    for field, file in found.items(multi=True):
        names = (n for n in (CUSTOMERS, TRANSACTIONS) if _is(n, field, file.filename))
        name = next(names, None)
        if name is None or name in files:
            neither = f"is neither {CUSTOMERS} nor {TRANSACTIONS}"
            reason = "is there twice" if name else neither
            message = f"the file {shorten(file.filename or field)} {reason}"
            raise InvalidRequest([Problem(message, field=field, hint=_HINT)])
        files[name] = file.read()
    if missing := [name for name in (CUSTOMERS, TRANSACTIONS) if name not in files]:
        message = f"the form has no file {' and no file '.join(missing)}"
        raise InvalidRequest([Problem(message, hint=_HINT)])
    return dict(form.items()), files


def _in_memory(*_: object, **__: object) -> io.BytesIO:
    """Where a file of the form is kept: the whole body is in memory already."""
    return io.BytesIO()


def _is(name: str, field: str, file_name: str | None) -> bool:
    """Whether a part is the file: by its own name, or by the field's, with or without ending."""
    return file_name == name or field in {name, name.partition(".")[0]}


def _unknown(name: str) -> Problem:
    message = f"{shorten(name)} is not a field of this form; {', '.join(_OPTIONS)} are"
    return Problem(message, field=name, hint=near(name, _OPTIONS))


def _asked(fields: Mapping[str, str], amount: float, days: int) -> tuple[float, int]:
    """Amount and days of the form, or else those given. Raises InvalidRequest."""
    problems = []
    if text := fields.get("amount"):
        try:
            amount = _AMOUNT.validate_python(text)
        except ValidationError:
            message = f"amount = {shorten(text)}: expected a number above 0, such as 500"
            problems.append(Problem(message, field="amount"))
    if text := fields.get("days"):
        days = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
        if not 1 <= days <= MOST_DAYS:
            message = f"days = {shorten(text)}: expected a whole number from 1 to {MOST_DAYS}"
            problems.append(Problem(message, field="days"))
    if problems:
        raise InvalidRequest(problems)
    return amount, days


def _customers(content: bytes, context: DecodeContext) -> dict[str, dict[str, str]]:
    """Customer -> attributes, of the file: one a line below the names of its columns."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = [(lines.line_num, row) for row in lines if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{CUSTOMERS} is not CSV in UTF-8: {error}"
        raise InvalidRequest([Problem(message, field=CUSTOMERS)]) from error
    names = [column_name(name) for name in rows[0][1]] if rows else []
    head = [name.lower() for name in names]
    own = context.manifest.hyperparameters.columns.customer_column
    column = next((n for n in ("customer_id", (own or "").lower()) if n and n in head), None)
    if column is None:
        message = f"{CUSTOMERS} has no column customer_id"
        hint = near("customer_id", head) or "write the names of the columns in its first line"
        raise InvalidRequest([Problem(message, field=CUSTOMERS, hint=hint)])
    context.check_size(records=len(rows) - 1)
    place, problems = head.index(column), []
    found: dict[str, dict[str, str]] = {}
    written = [row[place].strip() if place < len(row) else "" for _, row in rows[1:]]
    same = _same(written, context)
    for (number, row), text in zip(rows[1:], written, strict=True):
        customer = same.get(text, text)
        reason = (
            "no customer_id" if not customer
            else f"customer {shorten(text)} is there twice" if customer in found
            else f"{len(row)} cells, and the first line names {len(names)} columns"
            if len(row) != len(names)
            else None
        )  # fmt: skip
        if reason:
            problems.append(Problem(f"{CUSTOMERS}, line {number}: {reason}", field=CUSTOMERS))
        found[customer] = dict(zip(names, row, strict=False))
    if problems:
        raise InvalidRequest(problems[:LIMIT])
    return found


def _transactions(content: bytes, context: DecodeContext) -> dict[str, list[Any]]:
    """Customer -> transactions as orders, in the file's sequence."""
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        message = f"{TRANSACTIONS} is not JSON: {error}"
        raise InvalidRequest([Problem(message, field=TRANSACTIONS)]) from error
    if not isinstance(parsed, list) or not parsed:
        message = f"{TRANSACTIONS} is {shorten(parsed)}: expected a list of transactions"
        hint = 'write [{"customer_id": "17850", "date": "2011-11-03", "amount": 60}, ...]'
        raise InvalidRequest([Problem(message, field=TRANSACTIONS, hint=hint)])
    context.check_size(orders=len(parsed))
    orders: dict[str, list[Any]] = {}
    problems = []
    for i, each in enumerate(parsed):
        customer = each.get("customer_id") if isinstance(each, dict) else None
        if isinstance(customer, str | int) and not isinstance(customer, bool) and f"{customer}":
            orders.setdefault(str(customer).strip(), []).append(each)
        else:
            names = {*map(str, each)} - {"customer_id"} if isinstance(each, dict) else ()
            message = f"{TRANSACTIONS}, transaction {i}: customer_id is missing"
            problem = Problem(message, field=f"[{i}].customer_id", hint=near("customer_id", names))
            problems.append(problem)
    if problems:
        raise InvalidRequest(problems[:LIMIT])
    same = _same(orders, context)
    by_customer: dict[str, list[Any]] = {}
    for text, own in orders.items():
        by_customer.setdefault(same.get(text, text), []).extend(own)
    return by_customer


def _same(texts: Iterable[str], context: DecodeContext) -> dict[str, str]:
    """Text -> the customer that it names, as in every other form; without those of nobody."""
    return resolved(texts, context.manifest.hyperparameters.columns.no_customer_words)
