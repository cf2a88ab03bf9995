"""The whole extraction, from a real database to an emulated S3."""

import datetime
import importlib.util
import itertools
import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sql
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordergap import ingest
from ordergap.contract.hyperparameters import parse
from ordergap.contract.orders import Columns, Rejection
from ordergap.contract.prediction import ScoringRecord
from ordergap.histories import Histories, date_of

from lambdas.extract_orders import extraction
from lambdas.extract_orders.request import Request, Success
from lambdas.extract_orders.scoring import files, records
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent, SourceEmpty
from tests.sources import CANONICAL, Line, do, load

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
        for text in body(file).splitlines():
            record = ScoringRecord.model_validate_json(text)
            assert record.customer_id not in orders
            assert record.as_of == manifest.as_of
            orders[record.customer_id] = [
                (str(order.date), order.amount, order.items, order.lines) for order in record.orders
            ]
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
    return Shop(server.rpartition("/")[0] + f"/{name}", tmp_path)


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
    engine = sql.create_engine(postgres_url)
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
messy = st.tuples(
    cell(["17850", " 17850.0", "17851", "x/y", "é\u2028", '"', "", "nan", None]),
    cell(["2024-03-01 08:26:00", "2024-03-01", "2024-05-09T10:00:00Z", "2024-07-01", "2031-01-01",
          "", "yesterday", None]),
    cell(["536365", "C536365", None]),
    cell(["85123A", "POST", "71053", None]),
    cell(["6", "-6", "0", "six", None]),
    cell(["2.55", "0", "-1", "a lot", None]),
)  # fmt: skip


@given(rows=st.lists(messy, min_size=1, max_size=40), shards=st.integers(1, 5))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_row_is_used_or_rejected_and_every_customer_in_one_place(
    aws: None, tmp_path_factory: pytest.TempPathFactory, rows: list[Line], shards: int
) -> None:
    """The oracle is ingest on the rows in one piece."""
    folder = tmp_path_factory.mktemp("messy")
    shop = Shop(f"sqlite:///{folder / 'shop.db'}", folder)
    load(shop.url, rows, columns=TEXTS)
    whole = folder / "whole.parquet"
    frame = pl.DataFrame(rows, dict.fromkeys(CANONICAL, pl.String), orient="row")
    frame.write_parquet(whole)
    oracle = ingest.read(whole, Columns(), part=True, as_of=AS_OF)
    if not oracle.report.customers:
        with pytest.raises(SourceEmpty, match=f"none of the {len(rows)} rows"):
            shop.extract(run_id="run", shards=shards)
        assert not keys("runs/run/default/_SUCCESS")
        return
    manifest = shop.extract(run_id=folder.name, shards=shards)
    assert manifest.rows_read == len(rows) == manifest.rows_used + sum(manifest.rejected.values())
    assert scored(manifest) == expected(oracle.histories)
    assert manifest.rows_used == oracle.report.rows_used

    channel = training(manifest, folder / "train")
    owners = [set(ingest.read(file, Columns(), part=True).seen) for file in channel.iterdir()]
    assert len(owners) == shards
    assert sum(map(len, owners)) == len(set().union(*owners))
    trained = ingest.read(channel, Columns())
    assert trained.histories.digest() == oracle.histories.digest()
    assert trained.report.rows_used == manifest.rows_used
    early = {Rejection.LATER: 0}  # training never sees them
    assert {**trained.report.rejected, **early} == {**manifest.rejected, **early}


@given(
    st.lists(st.binary(max_size=9).filter(lambda text: b"\n" not in text), max_size=30),
    st.integers(1, 20),
)
def test_parts_keep_the_lines_in_order_and_within_the_limit(texts: list[bytes], limit: int) -> None:
    bodies = list(files(texts, limit))
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
    (text,) = records(cleaned.histories, day)
    assert json.loads(text) == {
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
    assert manifest.training_uri == f"s3://{BUCKET}/runs/night/uk/train/"
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


def test_ambiguous_dates_of_a_customer_are_read_in_the_format_of_all_dates(laptop: Shop) -> None:
    rows: list[Line] = [
        (f"c{n}", f"{day:02}/03/2024 8:26", "1", "A1", 1, 2.0)
        for n, day in enumerate([1, 2, 3, 4, 25])
    ]
    load(laptop.url, rows, columns=TEXTS)
    orders = scored(laptop.extract())
    assert {customer: order[0][0] for customer, order in orders.items()} == {
        "c0": "2024-03-01",
        "c1": "2024-03-02",
        "c2": "2024-03-03",
        "c3": "2024-03-04",
        "c4": "2024-03-25",
    }


def test_contradictory_dates_need_a_date_format(laptop: Shop) -> None:
    rows: list[Line] = [
        ("ana", "25/03/2024", "1", "A1", 1, 2.0),
        ("ben", "03/25/2024", "1", "A1", 1, 2.0),
    ]
    load(laptop.url, rows, columns=TEXTS)
    with pytest.raises(BadEvent, match="date_format"):
        laptop.extract()
    manifest = laptop.extract(columns={"date_format": "%d/%m/%Y"})
    assert (manifest.customers, manifest.hyperparameters) == (1, {"date_format": "%d/%m/%Y"})


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
