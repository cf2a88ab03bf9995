"""The whole extraction, from a real database to an emulated S3."""

import datetime
import functools
import importlib.util
import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordergap import ingest
from ordergap.contract.hyperparameters import parse
from ordergap.contract.orders import Columns, Rejection
from ordergap.contract.prediction import ScoringRecord
from ordergap.errors import DataError
from ordergap.hashing import bucket
from ordergap.histories import Histories, date_of, day_of
from ordergap.serving.formats.records import Rules
from ordergap.serving.formats.records import read as read_records

from lambdas.extract_orders import extraction, reading
from lambdas.extract_orders.request import Request, Success
from lambdas.extract_orders.scoring import Record, files, records
from lambdas.extract_orders.source import canonical
from lambdas.shared import clients
from lambdas.shared.digests import NOBODY, with_customer
from lambdas.shared.errors import BadEvent, SourceEmpty
from tests.sources import CANONICAL, Line, do, engine_of, load

BUCKET = "ordergap-123456789012"
AS_OF = datetime.date(2024, 6, 30)
TEXTS = dict.fromkeys(CANONICAL, sql.String)
Orders = dict[str, list[tuple[str, float | None, float | None, float | None]]]


def moment(day: int, hour: int = 9) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"2024-01-01T{hour:02}") + datetime.timedelta(days=day)


def line(customer: str | None, day: int, price: float = 2.5, quantity: int = 4) -> Line:
    return customer, moment(day), f"{day:05}", "A1", quantity, price


class Shop:
    """A database, a bucket, and extractions from the one to the other."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder
        self._runs = itertools.count()

    def extract(
        self,
        as_of: datetime.date = AS_OF,
        run_id: str | None = None,
        shards: int = 5,
        overlap_days: int = 3,
        **market: object,
    ) -> Success:
        n = next(self._runs)
        folder = self._folder / f"{n}"
        folder.mkdir()
        event = {"run_id": run_id or f"run-{n}", "as_of": str(as_of), "market": market}
        return extraction.extract(
            Request.model_validate(event),
            sql.make_url(self.url),
            BUCKET,
            clients.s3(),
            folder,
            shards=shards,
            overlap_days=overlap_days,
        )


def keys(prefix: str) -> list[str]:
    listing = clients.s3().list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
    return [each["Key"] for each in listing]


def body(key: str) -> bytes:
    return clients.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read()


def scored(manifest: Success) -> Orders:
    """Customer -> orders in the scoring files, where every customer must be on one line."""
    orders: Orders = {}
    files = keys(f"{manifest.prefix}/score/")
    assert len(files) == manifest.scoring_files
    for file in files:
        digest = NOBODY
        for text in body(file).splitlines():
            record = ScoringRecord.model_validate_json(text)
            assert record.customer_id not in orders
            assert record.as_of == manifest.as_of
            orders[record.customer_id] = [
                (str(order.date), order.amount, order.items, order.lines) for order in record.orders
            ]
            digest = with_customer(digest, record.customer_id)
        assert manifest.digests[file] == digest
    assert len(orders) == manifest.customers
    return orders


def expected(histories: Histories) -> Orders:
    rows = zip(
        histories.customer.tolist(),
        [str(date_of(day)) for day in histories.day],
        [None if math.isnan(amount) else amount for amount in histories.amount.tolist()],
        [None if math.isnan(items) else items for items in histories.items.tolist()],
        histories.lines.tolist(),
        strict=True,
    )
    orders: Orders = {}
    for customer, *order in rows:
        orders.setdefault(histories.customer_ids[customer], []).append(tuple(order))
    return orders


def inputs(manifest: Success) -> list[tuple[str, str]]:
    """Name and place of each channel of the training job."""
    channels: list[Any] = manifest.channels
    return [(each["ChannelName"], each["DataSource"]["S3DataSource"]["S3Uri"]) for each in channels]


def training(manifest: Success, folder: Path) -> Path:
    """The training channel as the job finds it."""
    folder.mkdir()
    for key in keys(f"{manifest.prefix}/train/"):
        (folder / key.rpartition("/")[2]).write_bytes(body(key))
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, aws: None) -> Shop:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return Shop(f"sqlite:///{tmp_path / 'shop.db'}", tmp_path)
    server = request.getfixturevalue("postgres_url")
    name = f"shop_{abs(hash(tmp_path))}"
    do(server, f"CREATE DATABASE {name}")
    url = sql.make_url(server).set(database=name)
    return Shop(url.render_as_string(hide_password=False), tmp_path)


@pytest.fixture
def chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores the size of chunks."""
    monkeypatch.setattr(reading, "CHUNK", reading.CHUNK)


@pytest.fixture
def laptop(tmp_path: Path, aws: None) -> Shop:
    return Shop(f"sqlite:///{tmp_path / 'shop.db'}", tmp_path)


def test_online_retail_is_scored_as_predict_scores_it(
    postgres_url: str, tmp_path: Path, aws: None, root: Path
) -> None:
    file = root.parent / "shared" / "data" / "online_retail.csv.gz"
    if not file.is_file():
        pytest.skip(f"no {file}")
    do(postgres_url, 'CREATE TABLE retail ({})'.format(", ".join(
        f'"{name}" {kind}' for name, kind in {
            "InvoiceNo": "text", "StockCode": "text", "Description": "text",
            "Quantity": "integer", "InvoiceDate": "timestamp", "UnitPrice": "numeric",
            "CustomerID": "double precision", "Country": "text",
        }.items()
    )))  # fmt: skip
    rows = pl.read_csv(file, infer_schema=False, encoding="utf8-lossy").write_csv()
    engine = engine_of(postgres_url)
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.execute_unnamed(
            "COPY retail FROM STDIN WITH (FORMAT csv, HEADER)", stream=[rows.encode()]
        )
    engine.dispose()
    as_of = datetime.date(2011, 10, 1)
    shop = Shop(postgres_url, tmp_path)
    manifest = shop.extract(as_of, shards=32, table="retail")
    cleaned = ingest.read(file, Columns(), as_of=as_of)
    assert scored(manifest) == expected(cleaned.histories)
    assert manifest.rows_read == cleaned.report.rows_read


def test_cdnow_is_scored_as_predict_scores_it(laptop: Shop, tmp_path: Path) -> None:
    spec = importlib.util.find_spec("lifetimes")
    assert spec
    assert spec.origin
    dataset = Path(spec.origin).parent / "datasets" / "CDNOW_master.txt"
    rows = [text.split() for text in dataset.read_text().splitlines()[1:]]
    columns = Columns(
        customer_column="client", date_column="day", quantity_column="cds", amount_column="paid"
    )
    names = ["client", "day", "cds", "paid"]
    file = tmp_path / "cdnow.csv"
    pl.DataFrame([[str(int(row[0])), *row[-3:]] for row in rows], names, orient="row").write_csv(
        file
    )
    kinds = {"client": sql.Integer, "day": sql.String, "cds": sql.Integer, "paid": sql.Numeric}
    load(laptop.url, [(int(r[0]), r[-3], int(r[-2]), float(r[-1])) for r in rows], "cds", kinds)
    as_of = datetime.date(1998, 3, 31)
    market = columns.model_dump(exclude_unset=True)
    manifest = laptop.extract(as_of, table="cds", columns=market)
    cleaned = ingest.read(file, columns, as_of=as_of)
    assert scored(manifest) == expected(cleaned.histories)
    assert manifest.rows_read == cleaned.report.rows_read


cell = st.sampled_from
CUSTOMERS = ["17850", "17851", "x/y", "é\u2028", '"', "Ana@Example.com", "guest"]
SPELLINGS = {"17850": " 17850.0", "Ana@Example.com": "ana@example.COM "}
DAYS = [datetime.date(2024, month, day) for month, day in ((1, 30), (3, 1), (5, 9), (7, 1))]
DAYS += [datetime.date(1900, 1, 1), datetime.date(2031, 1, 1)]


@st.composite
def messy(draw: st.DrawFn, form: str, decimal: str) -> tuple[Line, bool]:
    """A row, and whether it is dated after AS_OF."""
    customer = draw(cell([*CUSTOMERS, "", "nan", None]))
    day = draw(cell([*DAYS, "", "yesterday", None]))
    date = day.strftime(form) if isinstance(day, datetime.date) else day
    if customer not in CUSTOMERS:
        number = draw(cell([*"0123", "shared"]))
    else:  # what a line without a date means in an order of several customers is left out
        number = draw(cell([f"{CUSTOMERS.index(customer)}", *["shared"] * bool(date)]))
    line = (
        draw(cell([customer, SPELLINGS.get(str(customer), customer)])),
        date,
        draw(cell([number, None])),
        draw(cell(["85123A", "POST", "71053", None])),
        draw(cell(["6", "-6", "0", "six", None])),
        draw(cell([f"2{decimal}55", "0", "-1", f"1{decimal}250", "a lot", None])),
    )
    return line, isinstance(day, datetime.date) and day > AS_OF


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[Line, bool]]:
    form = draw(
        cell(["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%m/%d/%Y", "%d.%m.%y", "%d %b %Y"])
    )
    return draw(st.lists(messy(form, draw(cell(".,"))), min_size=1, max_size=40))


@given(table=tables(), shards=st.integers(1, 5), chunk=st.integers(1, 40))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_used_or_rejected_and_every_customer_in_one_place(
    aws: None,
    chunks: None,
    tmp_path_factory: pytest.TempPathFactory,
    table: list[tuple[Line, bool]],
    shards: int,
    chunk: int,
) -> None:
    """The oracle is ingest on the rows in one piece."""
    reading.CHUNK = chunk
    folder = tmp_path_factory.mktemp("messy")
    shop = Shop(f"sqlite:///{folder / 'shop.db'}", folder)
    rows = [row for row, _ in table]
    load(shop.url, rows, columns=TEXTS)
    columns = Columns(max_unreadable=1)
    frame = pl.DataFrame(rows, dict.fromkeys(CANONICAL, pl.String), orient="row")
    until_as_of = frame.filter(pl.Series([not late for _, late in table]))
    dates = frame["InvoiceDate"].drop_nulls()
    compared = dates.str.contains(r"^\d{4}-\d\d-\d\d").all()  # then no later rows are read
    seen = until_as_of if compared else frame
    try:
        decided = ingest.decide(ingest.tabulate(seen, columns).evidence(columns), columns)
    except DataError as error:
        with pytest.raises(BadEvent, match=re.escape(f"market.columns: {error}")):
            shop.extract(shards=shards, columns={"max_unreadable": 1})
        return
    early = ingest.tabulate(until_as_of, columns)
    whole = early.by_day(columns, decided)
    oracle = early.clean(columns, decided, part=True, whole=whole)
    if not oracle.report.customers:
        with pytest.raises(SourceEmpty, match=f"none of the {len(rows)} rows"):
            shop.extract(run_id="run", shards=shards, columns={"max_unreadable": 1})
        assert not keys("runs/run/default/_SUCCESS")
        return
    manifest = shop.extract(run_id=folder.name, shards=shards, columns={"max_unreadable": 1})
    assert manifest.rows_read == len(rows) == manifest.rows_used + sum(manifest.rejected.values())
    assert scored(manifest) == expected(oracle.histories)
    later = {Rejection.LATER: sum(late for _, late in table)}
    assert manifest.rejected == {**oracle.report.rejected, **later}

    channel = training(manifest, folder / "train")
    read_by = parse(manifest.hyperparameters).columns
    owners = [set(ingest.read(file, read_by, part=True).seen) for file in channel.iterdir()]
    assert len(owners) == shards
    assert sum(map(len, owners)) == len(set().union(*owners))
    agrees_with_training(manifest, channel)


def agrees_with_training(manifest: Success, channel: Path) -> None:
    """The training job reads the files as the account says."""
    trained = ingest.read(channel, parse(manifest.hyperparameters).columns)
    assert expected(trained.histories) == scored(manifest)
    report = trained.report
    assert report.revenue == pytest.approx(manifest.revenue, abs=1e-9)
    for name in ("rows_used", "customers", "orders", "first_day", "last_day"):
        assert getattr(report, name) == getattr(manifest, name)
    early = {Rejection.LATER: 0}  # training never sees them
    assert {**report.rejected, **early} == {**manifest.rejected, **early}
    assert {reason: each.customers for reason, each in report.concerned.items()} == {
        reason: each.customers for reason, each in manifest.concerned.items()
    }


@given(
    st.lists(st.binary(max_size=9).filter(lambda text: b"\n" not in text), max_size=30),
    st.integers(1, 20),
)
def test_parts_keep_the_lines_in_order_and_within_the_limit(texts: list[bytes], limit: int) -> None:
    made = list(files([Record(str(n), text) for n, text in enumerate(texts)], limit))
    bodies = [file.body for file in made]
    customers = map(str, range(len(texts)))
    for file in made:
        own = itertools.islice(customers, file.body.count(b"\n"))
        assert file.customers == functools.reduce(with_customer, own, NOBODY)
    assert b"".join(bodies) == b"".join(text + b"\n" for text in texts)
    assert all(len(each) <= limit or each.count(b"\n") == 1 for each in bodies)
    assert all(len(a) + len(b) > limit for a, b in itertools.pairwise(bodies))


def test_scoring_files_fit_into_a_request_of_batch_transform(laptop: Shop) -> None:
    rows = [line(f"{'customer ' * 900}{n}", day) for n in range(1100) for day in (1, 9)]
    load(laptop.url, rows)
    manifest = laptop.extract()
    assert len(scored(manifest)) == 1100
    sizes = [len(body(key)) for key in keys(f"{manifest.prefix}/score/")]
    assert len(sizes) > 1
    assert max(sizes) <= 5_000_000


def test_an_unknown_number_of_items_is_null() -> None:
    day = datetime.date(2024, 1, 2)
    file = pl.DataFrame({"CustomerID": ["a"], "InvoiceDate": ["2024-01-01"], "Amount": ["0.1"]})
    cleaned = ingest.read(file, Columns(amount_column="Amount"))
    nothing = pl.DataFrame(schema={"customer_id": pl.String, "attributes": pl.String})
    (record,) = records(cleaned.histories, day, nothing)
    assert json.loads(record.text) == {
        "customer_id": "a",
        "orders": [{"date": "2024-01-01", "amount": 0.1, "items": None, "lines": 1.0}],
        "as_of": "2024-01-02",
    }


def test_rows_after_as_of_are_counted_and_in_no_file(shop: Shop, tmp_path: Path) -> None:
    load(shop.url, [line("ana", 0), line("ana", 100), line("ben", 300), line(None, 301)])
    manifest = shop.extract(as_of=moment(100).date())
    assert manifest.rejected[Rejection.LATER] == 2
    assert (manifest.rows_read, manifest.rows_used, manifest.customers) == (4, 2, 1)
    assert (manifest.last_day, manifest.watermark) == (moment(100).date(),) * 2
    assert ingest.read(training(manifest, tmp_path / "train"), Columns()).report.rows_read == 2


def test_the_day_of_as_of_is_looked_at_to_its_end(shop: Shop) -> None:
    load(shop.url, [line("ana", 0), ("ana", moment(5, hour=23), "1", "A1", 1, 2.0)])
    assert shop.extract(as_of=moment(5).date()).orders == 2


def test_the_output_names_all_prefixes(laptop: Shop) -> None:
    load(laptop.url, [line("ana", 0), line("ana", 9)])
    manifest = laptop.extract(run_id="night", name="uk", table="orders")
    assert manifest.prefix == "runs/night/uk"
    (training,) = inputs(manifest)
    assert training == ("training", f"s3://{BUCKET}/runs/night/uk/train/")
    assert manifest.scoring_uri == f"s3://{BUCKET}/runs/night/uk/score/"
    assert manifest.model_uri == f"s3://{BUCKET}/models/uk/night"
    assert manifest.predictions_uri == f"s3://{BUCKET}/runs/night/uk/predictions"
    assert manifest.predictions_prefix == "runs/night/uk/predictions/"
    assert Success.model_validate_json(body("runs/night/uk/_SUCCESS")) == manifest
    assert [key.rpartition("/")[2] for key in keys(manifest.prefix + "/train/")] == [
        f"shard-{n:05}.parquet" for n in range(5)
    ]


def test_an_amount_column_and_product_codes_become_hyperparameters(
    laptop: Shop, tmp_path: Path
) -> None:
    kinds = {"who": sql.String, "day": sql.Date, "total": sql.Float, "item": sql.String}
    days = [moment(day).date() for day in (0, 9, 20)]
    rows: list[Line] = [("ana", day, 9.5, "tea") for day in days]
    load(laptop.url, [*rows, ("ana", days[0], 5.0, "GIFT")], "orders", kinds)
    columns = {"customer_column": "who", "date_column": "day", "amount_column": "total",
               "product_column": "item", "non_product_codes": ["GIFT"]}  # fmt: skip
    manifest = laptop.extract(columns=columns)
    columns_for_training = parse(manifest.hyperparameters).columns
    cleaned = ingest.read(training(manifest, tmp_path / "train"), columns_for_training)
    assert expected(cleaned.histories) == scored(manifest)
    assert manifest.rejected[Rejection.NON_PRODUCT] == 1


def test_of_a_table_without_amounts_every_row_is_an_order(laptop: Shop, tmp_path: Path) -> None:
    rows: list[Line] = [(f"c{n % 4}", moment(7 * n).date()) for n in range(20)]
    load(laptop.url, rows, "orders", {"who": sql.String, "day": sql.Date})
    manifest = laptop.extract(columns={"customer_column": "who", "date_column": "day"})
    assert (manifest.rows_used, manifest.orders, manifest.customers) == (20, 20, 4)
    cleaned = ingest.read(
        training(manifest, tmp_path / "train"), parse(manifest.hyperparameters).columns
    )
    assert expected(cleaned.histories) == scored(manifest)
    assert {amount for rows in scored(manifest).values() for _, amount, *_ in rows} == {None}


def test_free_orders_are_scored_where_they_count(laptop: Shop, tmp_path: Path) -> None:
    load(laptop.url, [line("ana", 0), line("ana", 9, price=0.0)])
    assert laptop.extract().orders == 1
    manifest = laptop.extract(columns={"free_orders": "on"})
    columns = parse(manifest.hyperparameters).columns
    cleaned = ingest.read(training(manifest, tmp_path / "train"), columns)
    assert expected(cleaned.histories) == scored(manifest)
    assert [amount for _, amount, *_ in scored(manifest)["ana"]] == [10.0, 0.0]


def test_receipts_that_share_a_number_name_no_customer_for_one_another(
    shop: Shop, tmp_path: Path
) -> None:
    """In one shard each line without a customer would have a single one to take."""
    kinds = {**CANONICAL, "InvoiceDate": sql.String}
    day, next_day = "2024-03-01", "2024-03-02"
    rows: list[Line] = [
        (customer, date, number, f"A{n}", 1, 2.0)
        for n, (customer, date, number) in enumerate([
            (None, day, "7"), ("ana", day, "7"), ("ben", day, "7"), ("cid", next_day, "7"),
            (None, next_day, "7"), (None, None, "7"), (None, "2024-03-01 9:00", "8"),
            ("dee", day, "8"),
        ])
    ]  # fmt: skip
    load(shop.url, rows, columns=kinds)
    manifest = shop.extract(shards=32)
    lines = {customer: orders[0][3] for customer, orders in scored(manifest).items()}
    assert lines == {"ana": 1, "ben": 1, "cid": 2, "dee": 2}
    assert manifest.rejected[Rejection.NO_CUSTOMER] == 2
    example = manifest.examples[Rejection.NO_CUSTOMER]
    channel = training(manifest, tmp_path / "train")
    row = pl.read_parquet(channel / str(example.file)).row(example.row - 1, named=True)
    assert row["CustomerID"] is None
    agrees_with_training(manifest, channel)


@pytest.mark.parametrize(
    ("proof", "order", "months"),
    [("25/03/2024", "day-first", [3, 3, 3]), ("03/25/2024", "month-first", [4, 5, 6]),
     ("12/25/2024", "month-first", [4, 5, 6])],
)  # fmt: skip
def test_one_row_of_any_shard_or_day_shows_the_order_of_dates(
    shop: Shop, tmp_path: Path, proof: str, order: str, months: list[int]
) -> None:
    dates = ["04/03/2024", "05/03/2024", "06/03/2024", proof]
    rows: list[Line] = [(f"c{n}", date, "1", "A1", 1, 2.0) for n, date in enumerate(dates)]
    load(shop.url, rows, columns={**CANONICAL, "InvoiceDate": sql.String})
    manifest = shop.extract()
    orders = scored(manifest)
    assert [int(orders[f"c{n}"][0][0][5:7]) for n in range(3)] == months
    assert manifest.hyperparameters["date_format"] == order
    assert manifest.conventions.date_order == order
    assert f'dates are read {order}, as InvoiceDate "{proof}" shows' in manifest.notes
    agrees_with_training(manifest, training(manifest, tmp_path / "train"))


def test_what_rows_leave_open_is_refused_with_the_option_that_decides(laptop: Shop) -> None:
    kinds = {"who": sql.String, "day": sql.String, "total": sql.String}
    names = {"customer_column": "who", "date_column": "day", "amount_column": "total"}
    load(laptop.url, [("ana", "3/4/2024", "5")], "dated", kinds)
    message = (
        r'market\.columns: day "3/4/2024" can be read .* set date_format to day-first or month'
    )
    with pytest.raises(BadEvent, match=message):
        laptop.extract(table="dated", columns=names)
    assert laptop.extract(table="dated", columns={**names, "date_format": "day-first"}).orders == 1
    load(laptop.url, [("ana", "2024-04-03", "1.234")], "priced", kinds)
    with pytest.raises(BadEvent, match=r'total "1\.234" .* set decimal to point or comma'):
        laptop.extract(table="priced", columns=names)
    manifest = laptop.extract(table="priced", columns={**names, "decimal": "comma"})
    assert manifest.revenue == 1234


def test_contradictory_dates_need_a_date_format(laptop: Shop) -> None:
    rows: list[Line] = [
        ("ana", "25/03/2024", "1", "A1", 1, 2.0),
        ("ben", "03/25/2024", "1", "A1", 1, 2.0),
    ]
    load(laptop.url, rows, columns=TEXTS)
    with pytest.raises(BadEvent, match="date_format"):
        laptop.extract()
    refused = r"1 of the 2 rows of the table orders have an unreadable date, more than max_unread"
    with pytest.raises(BadEvent, match=refused):
        laptop.extract(columns={"date_format": "%d/%m/%Y"})
    given = {"date_format": "%d/%m/%Y", "max_unreadable": 0.5}
    manifest = laptop.extract(columns=given)
    assert (manifest.customers, manifest.rejected[Rejection.BAD_DATE]) == (1, 1)
    assert manifest.concerned[Rejection.BAD_DATE].revenue == 2
    example = manifest.examples[Rejection.BAD_DATE]
    assert (example.column, example.cell) == ("InvoiceDate", "03/25/2024")
    columns = parse(manifest.hyperparameters).columns
    assert (columns.date_format, columns.max_unreadable) == ("%d/%m/%Y", 0.5)


def test_numbers_as_text_have_one_decimal_mark_and_columns_of_numbers_their_own(
    shop: Shop, tmp_path: Path
) -> None:
    rows: list[Line] = [
        ("ana", moment(0), "1", "A1", 1.25, "1.234"),
        ("ben", moment(1), "2", "A1", 1000, "1.234,50 €"),
        ("cid", moment(2), "3", "A1", 2, "3"),
    ]
    pieces = sql.Numeric(10, 3) if shop.url.startswith("postgresql") else sql.Integer()
    if isinstance(pieces, sql.Integer):
        rows[0] = ("ana", moment(0), "1", "A1", 1, "1.234")
    kinds = {**CANONICAL, "Quantity": lambda: pieces, "UnitPrice": sql.String}
    load(shop.url, rows, columns=kinds)  # type: ignore[arg-type]
    manifest = shop.extract()
    orders = scored(manifest)
    amounts = {customer: orders[customer][0][1] for customer in orders}
    pieces_of_ana = rows[0][4]
    assert amounts == {"ana": 1234 * pieces_of_ana, "ben": 1_234_500, "cid": 6}  # type: ignore[operator]
    assert manifest.hyperparameters["decimal"] == "comma"
    assert manifest.conventions.currency == "EUR"
    agrees_with_training(manifest, training(manifest, tmp_path / "train"))


def test_three_decimals_of_a_column_of_numbers_decide_nothing(shop: Shop) -> None:
    if shop.url.startswith("sqlite"):
        pytest.skip("SQLite has no types of columns")
    kinds = {**CANONICAL, "UnitPrice": lambda: sql.Numeric(10, 3)}
    load(shop.url, [line("ana", 0, price=1.234, quantity=1)], columns=kinds)  # type: ignore[arg-type]
    manifest = shop.extract()
    assert (manifest.revenue, manifest.hyperparameters) == (1.234, {})


def test_all_options_of_reading_reach_the_training_job(shop: Shop, tmp_path: Path) -> None:
    kinds = {"Email": sql.String, "Created at": sql.String, "Name": sql.String,
             "Lineitem sku": sql.String, "Lineitem quantity": sql.Integer,
             "Lineitem price": sql.Float, "Financial Status": sql.String}  # fmt: skip
    rows: list[Line] = [
        ("Ana@Example.com", "2024-06-30 23:30:00 -0400", "#1", "tea", 1, 5.0, "paid"),
        (None, None, "#1", "pot", 1, 20.0, None),
        ("ana@example.COM", "2024-06-20 10:00:00 -0400", "#2", "tea", 1, 5.0, "paid"),
        (None, None, "#2", "tea", 1, 0.0, None),
        ("ben@example.com", "2024-06-03 10:00:00 -0400", "#3", "tea", 1, 5.0, "on hold"),
        (None, None, "#3", "pot", 1, 20.0, None),
        ("till@shop.com", "2024-06-03 10:00:00 -0400", "#4", "tea", 1, 5.0, "paid"),
        ("cid@example.com", "2024-06-04 10:00:00 -0400", "#5", "GIFT", 1, 5.0, "paid"),
        ("cid@example.com", "2024-06-04 10:00:00 -0400", "#5", "pot", 1, 3.0, "paid"),
        ("cid@example.com", "2024-06-04 10:00:00 -0400", "#5", "tea", 1, 0.0, "paid"),
        ("cid@example.com", "2024-06-04 10:00:00 -0400", "#5", "tea", 1, 0.0, "paid"),
        (None, None, "#9", "pot", 1, 20.0, None),
    ]
    load(shop.url, rows, columns=kinds)
    options = {
        "preset": "shopify", "excluded_statuses": ["On hold"],
        "no_customer_words": ["till@shop.com"], "time_zone": "America/New_York",
        "duplicates": "keep", "free_orders": "on", "non_product_codes": ["GIFT"],
        "max_unreadable": 0.9,
    }  # fmt: skip
    manifest = shop.extract(columns=options)
    assert scored(manifest) == {
        "ana@example.com": [("2024-06-20", 5, 2, 2), ("2024-06-30", 25, 2, 2)],
        "cid@example.com": [("2024-06-04", 3, 3, 3)],
    }
    assert (manifest.rejected[Rejection.STATUS], manifest.rejected[Rejection.NO_CUSTOMER]) == (2, 2)
    asked = canonical(Columns.model_validate(options))
    decimal = manifest.hyperparameters.get("decimal", "auto")
    trained = parse(manifest.hyperparameters).columns
    assert trained == asked.model_copy(update={"decimal": decimal})
    agrees_with_training(manifest, training(manifest, tmp_path / "train"))


def test_days_are_those_of_the_shops_zone(postgres_url: str, tmp_path: Path, aws: None) -> None:
    do(
        postgres_url,
        "DROP TABLE IF EXISTS zoned",
        """CREATE TABLE zoned ("CustomerID" text, "InvoiceDate" timestamptz, "InvoiceNo" text,
            "StockCode" text, "Quantity" int, "UnitPrice" numeric)""",
        """INSERT INTO zoned VALUES
            ('ana', '2024-06-30 21:30+00', '1', 'A1', 1, 2),
            ('ana', '2024-06-30 22:30+00', '2', 'A1', 1, 2),
            ('ben', '2024-06-29 22:30+00', '3', 'A1', 1, 2),
            ('ana', '2024-07-04 00:00+00', '4', 'A1', 1, 2)""",
    )
    shop = Shop(postgres_url, tmp_path)
    for zone, days in {
        "Europe/Berlin": {"ana": ["2024-06-30"], "ben": ["2024-06-30"]},
        "UTC": {"ana": ["2024-06-30"], "ben": ["2024-06-29"]},
    }.items():
        manifest = shop.extract(table="zoned", columns={"time_zone": zone})
        orders = scored(manifest)
        assert {customer: [each[0] for each in orders[customer]] for customer in orders} == days
        later = 2 if zone == "Europe/Berlin" else 1
        assert (manifest.rows_read, manifest.rejected[Rejection.LATER]) == (4, later)


def test_a_customer_that_lost_digits_is_refused(laptop: Shop) -> None:
    load(laptop.url, [("1.23457E+12", moment(0), "1", "A1", 1, 2.0)])
    with pytest.raises(BadEvent, match=r"market\.columns\.customer_column: .*lost its last"):
        laptop.extract()


def test_a_date_is_far_from_those_of_all_shards(laptop: Shop, tmp_path: Path) -> None:
    rows = [line(f"c{n % 40}", n % 90) for n in range(1100)]
    load(
        laptop.url,
        [*rows, ("old", datetime.datetime.fromisoformat("2011-02-03"), "x", "A1", 1, 9.0)],
    )
    manifest = laptop.extract()
    assert (manifest.rejected[Rejection.IMPOSSIBLE_DATE], manifest.customers) == (1, 40)
    assert manifest.first_day == moment(0).date()
    agrees_with_training(manifest, training(manifest, tmp_path / "train"))


def test_a_retry_returns_what_was_finished_without_reading_again(laptop: Shop) -> None:
    load(laptop.url, [line("ana", 0), line("ana", 9)])
    manifest = laptop.extract(run_id="night")
    do(laptop.url, "DROP TABLE orders")
    assert laptop.extract(run_id="night") == manifest


def test_another_request_of_the_same_run_is_extracted_anew(laptop: Shop) -> None:
    load(laptop.url, [line("ana", 0), line("ben", 9)])
    assert laptop.extract(run_id="night").customers == 2
    assert laptop.extract(run_id="night", as_of=moment(5).date()).customers == 1


def test_nothing_of_a_half_written_attempt_survives(laptop: Shop) -> None:
    load(laptop.url, [line("ana", 0), line("ana", 9)])
    stale = ["score/part-00000.jsonl", "score/part-00009.jsonl", "train/shard-00099.parquet"]
    for name in [*stale, "predictions/part-00009.jsonl.out"]:
        clients.s3().put_object(Bucket=BUCKET, Key=f"runs/night/default/{name}", Body=b"stale")
    clients.s3().put_object(Bucket=BUCKET, Key="runs/night/default2/_SUCCESS", Body=b"other")
    manifest = laptop.extract(run_id="night", shards=1)
    assert keys("runs/night/default/") == [
        "runs/night/default/_SUCCESS",
        "runs/night/default/days.json",
        "runs/night/default/score/part-00000.jsonl",
        "runs/night/default/train/shard-00000.parquet",
    ]
    assert list(scored(manifest)) == ["ana"]
    assert keys("runs/night/default2/")


def test_an_empty_source_differs_from_one_without_usable_rows(shop: Shop) -> None:
    load(shop.url, [])
    with pytest.raises(SourceEmpty, match="the table orders has no rows"):
        shop.extract()
    load(shop.url, [line(None, 0), line("ana", 1, price=0), line("ana", 300)])
    reasons = "1 no customer id, 1 after as of, 1 non positive price"
    message = f"none of the 3 rows of the query can be used: {reasons}"
    with pytest.raises(SourceEmpty, match=message):
        shop.extract(query="SELECT * FROM orders")


def test_a_market_that_fails_leaves_no_manifest(laptop: Shop) -> None:
    load(laptop.url, [line("ana", 0)])
    laptop.extract(run_id="night")
    do(laptop.url, "DELETE FROM orders")
    with pytest.raises(SourceEmpty):
        laptop.extract(run_id="night", as_of=moment(9).date())
    assert not keys("runs/night/default/_SUCCESS")


def test_hashed_columns_are_extracted_as_training_and_a_model_read_them(
    shop: Shop, tmp_path: Path
) -> None:
    kinds = CANONICAL | {"sku": sql.String, "size": sql.String}
    values = [(None, "S"), ("7", "XL"), ("7", " S")]  # of sku and size
    rows = [
        (*line(customer, day + i, price=2.5 + i), *pair)
        for customer in ("ana", "ben")
        for day in (0, 31)
        for i, pair in enumerate(values)
    ]
    load(shop.url, rows, columns=kinds)
    options = {"product_column": "sku", "hashed_columns": ["SIZE", "sku"], "hash_buckets": 8}
    manifest = shop.extract(columns=options)
    read = parse(manifest.hyperparameters).columns
    assert (read.hashed_columns, read.hash_buckets) == (("SIZE", "sku"), 8)
    trained = ingest.read(training(manifest, tmp_path / "train"), read).histories
    for file in keys(f"{manifest.prefix}/score/"):
        for text in body(file).splitlines():
            asked, _ = read_records([json.loads(text)], day_of(AS_OF), rules=Rules(hashed=read))
            (place,) = (trained.customer_ids.index(name) for name in asked.customer_ids)
            known = trained.pick(np.array([place]))
            for name in read.hashed_columns:
                assert asked.buckets[name].tolist() == known.buckets[name].tolist()
                assert asked.buckets[name].sum(axis=1).tolist() == known.lines.tolist()
    sizes = {bucket("SIZE", value, 8) for value in ("S", "XL")}
    assert set(np.flatnonzero(trained.buckets["SIZE"].sum(axis=0))) == sizes
    plain = shop.extract(columns={"product_column": "sku"})
    assert all(b"buckets" not in body(file) for file in keys(f"{plain.prefix}/score/"))


def test_a_hashed_column_of_floats_or_of_another_meaning_is_refused(
    postgres_url: str, tmp_path: Path, aws: None
) -> None:
    shop = Shop(postgres_url, tmp_path)
    do(
        postgres_url,
        """CREATE VIEW odd AS SELECT 'ana' AS "CustomerID", date '2024-01-01' AS "InvoiceDate",
            '1' AS "InvoiceNo", 'A1' AS sku, 'B2' AS "StockCode", 1 AS "Quantity",
            2 AS "UnitPrice", 1104905::float8 AS postcode""",
    )
    for name in ("postcode", "StockCode"):
        with pytest.raises(BadEvent, match=rf"hashed_columns: {name} is a float, or called as"):
            shop.extract(table="odd", columns={"product_column": "sku", "hashed_columns": [name]})
