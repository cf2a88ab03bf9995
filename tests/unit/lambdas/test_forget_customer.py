"""A customer is removed from every byte, is not brought back, and nobody else changes."""

import datetime
import gzip
import io
import itertools
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sql
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordergap.contract.orders import Rejection
from ordergap.ingest.cells import customers_of
from ordergap.scoring.cohorts import Cohort

from lambdas.extract_orders.extraction import extract
from lambdas.extract_orders.request import Request, Success
from lambdas.forget_customer import handler, sweep
from lambdas.forget_customer.forms import Customer
from lambdas.forget_customer.table import dynamodb
from lambdas.shared import clients, customers, forgotten
from lambdas.shared.errors import AlreadyRunning, BadEvent, ForgottenUnreadable, Unavailable
from lambdas.shared.runs import RUNNING
from tests.cohorts import MONDAY, cohort, saved
from tests.sources import load
from tests.stack import create_table
from tests.unit.lambdas.conftest import BUCKET, Context

TABLE, SECRET = "forecasts", "shop-forgotten"
ANA = "Ana@Example.com"
WRITTEN = ("ana@example.com", "Ana@Example.com", " ANA@example.com ")
DAY = datetime.date(2024, 3, 1)
NUMBER = itertools.count()


@pytest.fixture
def cloud(aws: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A bucket with versions, a table, and no run."""
    monkeypatch.setenv("ORDERGAP_TABLE", TABLE)
    monkeypatch.setenv("ORDERGAP_FORGOTTEN_SECRET", SECRET)
    dynamodb.cache_clear()
    s3 = clients.s3()
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    create_table(dynamodb(), TABLE)
    yield s3
    dynamodb.cache_clear()


def put(key: str, body: bytes | str) -> None:
    body = body.encode() if isinstance(body, str) else body
    clients.s3().put_object(Bucket=BUCKET, Key=key, Body=body)


def item(customer: str, market: str = "uk") -> None:
    fields = {"customer_id": {"S": customer}, "market": {"S": market},
              "soon_probability": {"N": "0.5"}}  # fmt: skip
    dynamodb().put_item(TableName=TABLE, Item=fields)


def forget(customer: str = ANA, **more: Any) -> Any:
    context: Any = Context(times=more.pop("times", []))
    return handler.handle({"market": "uk", "customer": customer, **more}, context)


def parquet(rows: dict[str, list[Any]]) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(rows).write_parquet(file)
    return file.getvalue()


def archive(**members: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as made:
        for name, text in members.items():
            member = tarfile.TarInfo(name.replace("_html", ".html").replace("_json", ".json"))
            member.size = len(text)
            made.addfile(member, io.BytesIO(text.encode()))
    return file.getvalue()


def plain(key: str, body: bytes) -> str:
    """All that is written in an object, however it is packed."""
    if key.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(body)) as made:
            return "".join(plain(m.name, made.extractfile(m).read()) for m in made)  # type: ignore[union-attr]
    if key.endswith(".gz"):
        return plain(key[:-3], gzip.decompress(body))
    if key.endswith(".parquet"):
        return str(pl.read_parquet(io.BytesIO(body)).to_dicts())
    return body.decode()


def everything(market: str = "/uk/") -> dict[tuple[str, str], str]:
    """Key and version of every version of an object of a market -> what is written in it."""
    pages = clients.s3().get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    found = {}
    for each in (v for page in pages for v in page.get("Versions", [])):
        if market in each["Key"] and not each["Key"].startswith("forgotten/"):
            place = {"Key": each["Key"], "VersionId": each["VersionId"]}
            body = clients.s3().get_object(Bucket=BUCKET, **place)["Body"].read()
            found[(each["Key"], each["VersionId"])] = plain(each["Key"], body)
    return found


def latest(key: str) -> bytes:
    return clients.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read()


LINE = '{{"customer_id":"{}","orders":[{{"date":"2024-01-01"}}]}}\n'
ROW = '<tr>\n<th scope="row">{}</th><td class="n">7</td></tr>\n'


def fill() -> None:
    """Two runs with everything that a market has, Ana and Ben in all of it."""
    for run in ("runs/first/uk/", "runs/second/uk/"):
        both = [*WRITTEN, "ben@example.com", None, None]
        orders = ["1", "1", "2", "3", "1", "3"]
        put(f"{run}train/shard-0.parquet", parquet({"CustomerID": both, "InvoiceNo": orders}))
        put(f"{run}train/shard-1.parquet", parquet({"CustomerID": ["cid"], "InvoiceNo": ["9"]}))
        put(f"{run}customers/attributes.parquet", parquet({"customer_id": [WRITTEN[1], "ben"]}))
        put(f"{run}leads/leads.parquet", parquet({"lead_id": [WRITTEN[0], "lea"], "age": [1, 2]}))
        lines = LINE.format(WRITTEN[0]) + LINE.format("ben@example.com")
        put(f"{run}score/part-00000.jsonl", lines)
        put(f"{run}predictions/part-00000.jsonl.out", lines)
        quoted = json.dumps({"line": 1, "reason": "x", "text": LINE.format(WRITTEN[0])[:44]})
        put(f"{run}rejects/part-00000.jsonl", f'{quoted}\n{{"line": 2, "text": "?"}}\n')
        put(
            f"{run}lists/due.csv.gz",
            gzip.compress(f"name,customer_id\r\na,{ANA}\r\nb,ben\r\n".encode()),
        )
        put(f"{run}_SUCCESS", '{"customers": 2}')
    put(
        "cohorts/uk/2024-W01.parquet",
        parquet({"customer_id": [WRITTEN[0], "ben"], "p": [0.1, 0.2]}),
    )
    report = ROW.format(WRITTEN[0]) + ROW.format("ben")
    put("models/uk/first/job/output/model.tar.gz", archive(report_html=report, manifest_json="{}"))
    item(WRITTEN[0])


def test_no_object_no_version_and_no_item_has_the_customer(cloud: Any) -> None:
    fill()
    put("runs/first/uk/score/part-00000.jsonl", LINE.format("ben@example.com"))
    put("runs/first/uk/gone.jsonl", LINE.format(ANA))
    clients.s3().delete_object(Bucket=BUCKET, Key="runs/first/uk/gone.jsonl")
    put("runs/first/de/score/part-00000.jsonl", LINE.format(ANA))
    item(WRITTEN[0], "de")
    assert any("ana@" in text.lower() for text in everything().values())
    proof = forget()
    written = everything()
    assert not [key for key, text in written.items() if "ana@" in text.lower()]
    assert sum("ben" in text for text in written.values()) == 12
    left = dynamodb().scan(TableName=TABLE)["Items"]
    assert [each["market"]["S"] for each in left] == ["de"]
    assert "ana@" in str(everything("/de/")).lower()
    assert proof["items"] == 1
    prefixes = {each["prefix"]: each for each in proof["prefixes"]}
    train = prefixes["runs/second/uk/train/"]
    assert (train["looked_at"], train["changed"], train["rows"]) == (2, 1, 4)
    assert prefixes["runs/first/uk/"]["deleted"] == 1
    assert proof["not_looked_at"] == 2  # the other market's, and the list of hashes
    assert "ana@" not in json.dumps(proof).lower()
    names = [each["Key"] for each in clients.s3().list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert [name for name in names if name.endswith(proof["customer"])]


def test_what_is_left_of_forecasts_that_are_kept_can_be_graded(cloud: Any, tmp_path: Path) -> None:
    whole = cohort(MONDAY, {30: [0.1, 0.2, 0.3]}, ["ben@example.com", WRITTEN[0], "cid"])
    key = "cohorts/uk/2011-12-12_night.parquet"
    for _ in range(2):
        put(key, saved(tmp_path, whole).read_bytes())
    forget()
    assert len(everything()) == 1
    path = tmp_path / "left.parquet"
    path.write_bytes(latest(key))
    left = Cohort.load(path)
    assert (left.about, left.customer_ids) == (whole.about, ["ben@example.com", "cid"])
    assert left.probability[30].tolist() == [0.1, 0.3]


def test_the_others_keep_their_bytes(cloud: Any) -> None:
    fill()
    untouched = "runs/first/uk/train/shard-1.parquet"
    before = latest(untouched)
    forget()
    assert latest(untouched) == before
    assert latest("runs/first/uk/score/part-00000.jsonl") == LINE.format("ben@example.com").encode()
    rows = pl.read_parquet(io.BytesIO(latest("runs/first/uk/train/shard-0.parquet")))
    assert rows.rows() == [("ben@example.com", "3"), (None, "3")]
    due = gzip.decompress(latest("runs/first/uk/lists/due.csv.gz"))
    assert due == b"name,customer_id\r\nb,ben\r\n"
    with tarfile.open(fileobj=io.BytesIO(latest("models/uk/first/job/output/model.tar.gz"))) as tar:
        assert [(m.name, tar.extractfile(m).read()) for m in tar] == [  # type: ignore[union-attr]
            ("report.html", ROW.format("ben").encode()), ("manifest.json", b"{}"),
        ]  # fmt: skip


def test_a_second_time_changes_nothing(cloud: Any) -> None:
    fill()
    first, before = forget(), everything()
    again = forget()
    assert everything() == before
    assert again["customer"] == first["customer"]
    assert sum(each["changed"] + each["deleted"] for each in again["prefixes"]) == 0


def test_somebody_who_is_nowhere_is_excluded_all_the_same(cloud: Any) -> None:
    proof = forget("nobody-knows")
    assert (proof["excluded"], proof["items"], proof["prefixes"]) == (True, 0, [])
    assert "nobody-knows" in _listed()
    assert not forget("nobody-knows", undo=True)["excluded"]
    assert forgotten.read(clients.s3(), clients.secrets(), BUCKET, SECRET, "uk") is None


def _listed() -> Any:
    return forgotten.read(clients.s3(), clients.secrets(), BUCKET, SECRET, "uk")


@pytest.mark.parametrize(
    ("operation", "calls"), [("put_object", 1), ("put_object", 5), ("delete_object", 4)]
)
def test_killed_anywhere_and_run_again_it_ends_as_unbroken(
    cloud: Any, monkeypatch: pytest.MonkeyPatch, operation: str, calls: int
) -> None:
    fill()
    real, number = getattr(cloud, operation), itertools.count(1)

    def dies(**given: Any) -> Any:
        answer = real(**given)
        if next(number) == calls:
            raise KeyboardInterrupt  # after the call was done
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(cloud, operation, dies)
        with pytest.raises(KeyboardInterrupt):
            forget()
    forget()
    written = everything()
    assert not [key for key, text in written.items() if "ana@" in text.lower()]
    assert sum("ben" in text for text in written.values()) == 12
    assert not dynamodb().scan(TableName=TABLE)["Items"]


def test_where_time_is_short_another_call_continues(cloud: Any) -> None:
    fill()
    proofs = [forget(times=[900_000] * 2 + [1])]
    while (after := proofs[-1]["next"]) is not None:
        proofs.append(forget(after=after, times=[900_000] * 2 + [1]))
    assert len(proofs) > 3
    assert not [key for key, text in everything().items() if "ana@" in text.lower()]
    looked = sum(each["looked_at"] for proof in proofs for each in proof["prefixes"])
    assert looked == len(everything())


def test_a_throttled_table_is_worth_a_retry(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    error = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow"}}

    def throttled(**_: Any) -> Any:
        raise ClientError(error, "DeleteItem")

    with monkeypatch.context() as patch:
        patch.setattr(dynamodb(), "delete_item", throttled)
        with pytest.raises(Unavailable):
            forget()
    assert ANA.lower() in _listed()
    assert forget()["items"] == 1


def test_objects_that_go_or_change_meanwhile(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    real = cloud.get_object

    def after(key: str, act: Callable[[], object]) -> Any:
        def get(**given: Any) -> Any:
            answer = real(**given)
            if given["Key"] == key and "VersionId" in given:
                act()
            return answer

        return get

    key = "runs/first/uk/score/part-00000.jsonl"
    with monkeypatch.context() as patch:  # written by somebody else after it was read
        patch.setattr(cloud, "get_object", after(key, lambda: put(key, LINE.format(ANA))))
        with pytest.raises(Unavailable, match="written meanwhile"):
            forget()
    with monkeypatch.context() as patch:  # expired after it was read
        expire = lambda: cloud.delete_object(Bucket=BUCKET, Key=key)  # noqa: E731
        patch.setattr(cloud, "get_object", after(key, expire))
        forget()
    assert not [key for key, text in everything().items() if "ana@" in text.lower()]


def test_a_version_that_is_deleted_after_it_was_listed(cloud: Any) -> None:
    put("runs/a/uk/x.jsonl", LINE.format(ANA))
    (version,) = sweep._versions(cloud, BUCKET, "")
    cloud.delete_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])
    found = sweep.Looked(prefix="")
    sweep._clean(cloud, BUCKET, version, Customer("ana@example.com"), found)
    assert (found.looked_at, found.gone, found.changed) == (1, 1, 0)


def test_it_is_refused_while_a_run_is_under_way_and_the_list_is_written(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill()
    at = f"{DAY}T00:00:00Z"
    begun = {
        market: {"execution_arn": f"arn:aws:states:eu-west-1:1:execution:shop:{name}", "at": at}
        for market, name in (("uk", "night"), ("de", "other"))
    }
    put(RUNNING, json.dumps({"markets": begun}))
    status = "RUNNING"
    states = clients.stepfunctions()

    def describe(executionArn: str) -> dict[str, str]:  # noqa: N803 - a name of boto3
        return {"status": "RUNNING" if executionArn.endswith("other") else status}

    monkeypatch.setattr(states, "describe_execution", describe)
    before = everything()
    with pytest.raises(AlreadyRunning, match="run night of the market uk is under way"):
        forget()
    assert everything() == before
    assert ANA.lower() in _listed()
    status = "FAILED"
    assert forget()["items"] == 1


@pytest.mark.parametrize("customer", ["guest", " ", "1.5E+30"])
def test_an_id_that_is_nobodys_is_refused_and_not_repeated(cloud: Any, customer: str) -> None:
    with pytest.raises(BadEvent) as refused:
        forget(customer)
    assert customer.strip() not in str(refused.value) or customer in {"guest", " "}


def test_a_list_of_another_key_stops_extractions_and_further_forgetting(cloud: Any) -> None:
    forget("17850")
    clients.secrets().put_secret_value(SecretId=SECRET, SecretString="another")
    for refused in (_listed, lambda: forget("17851")):
        with pytest.raises(ForgottenUnreadable, match="restore the secret"):
            refused()
    clients.secrets().delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)
    with pytest.raises(ForgottenUnreadable, match="restore the secret"):
        _listed()


def test_a_hash_is_of_one_market_and_one_key() -> None:
    hashes = {forgotten.Key(m, k).hash_of("17850") for m in ("uk", "de") for k in (b"a", b"b")}
    assert len(hashes) == 4


SPELLINGS = st.sampled_from(["17850", " 17850.0", "17850 ", "1785", "7", "a@b.co", "A@b.CO", "Æ x"])


@given(ids=st.lists(SPELLINGS | st.none(), max_size=8), who=SPELLINGS)
@settings(max_examples=60)
def test_rows_are_removed_by_the_normal_form_of_ingest(ids: list[str | None], who: str) -> None:
    (own,) = customers_of([who])
    expected = [each for each in ids if each is None or customers_of([each])[0] != own]
    customer = Customer(str(own))
    table = pl.DataFrame({"customer_id": pl.Series(ids, dtype=pl.String)})
    file = io.BytesIO()
    table.write_parquet(file)
    cleaned = customer.cleaned("x.parquet", file.getvalue())
    assert pl.read_parquet(io.BytesIO(cleaned.body))["customer_id"].to_list() == expected
    lines = "".join(json.dumps({"customer_id": each}) + "\n" for each in ids)
    cleaned = customer.cleaned("x.jsonl", lines.encode())
    assert [json.loads(line)["customer_id"] for line in cleaned.body.splitlines()] == expected
    assert cleaned.rows == len(ids) - len(expected)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl.gz", "model.tar.gz"])
def test_what_is_not_of_its_form_is_said(name: str) -> None:
    cleaned = Customer("17850").cleaned(name, b"\xff\xfe 17850")
    assert (cleaned.unreadable, cleaned.rows, cleaned.mentions) == (True, 0, 1)


def test_what_is_left_elsewhere_is_counted_and_not_taken_away() -> None:
    text = b'{"orders": 17850, "revenue": 17850.25, "x": 0.17850, "y": "a17850"}'
    cleaned = Customer("17850").cleaned("metrics.json", text)
    assert (cleaned.body, cleaned.mentions) == (text, 1)


@pytest.mark.parametrize(
    ("key", "its"),
    [
        ("runs/night/uk/train/a.parquet", True),
        ("models/uk/night/job/output/model.tar.gz", True),
        ("cohorts/2024/uk/a.parquet", True),
        ("feeds/uk/accepted.json", True),
        ("runs/running.json", False),
        ("runs/uk/de/train/a.parquet", False),
        ("models/de/uk/metrics.json", False),
        ("forgotten/uk/ab/cd", False),
        ("uk", False),
        ("uk/a.jsonl", False),
    ],
)
def test_an_object_is_of_the_market_whose_folder_it_is_in(key: str, its: bool) -> None:
    assert sweep.is_of(key, "uk") == its


def line(customer: str | None, days: int, order: str) -> tuple[object, ...]:
    moment = datetime.datetime.combine(DAY - datetime.timedelta(days), datetime.time(9))
    return customer, moment, order, "A1", 2, 2.5


def extracted(folder: Path, lines: list[Any], listed: Any, **market: Any) -> Success:
    number = next(NUMBER)
    place = folder / str(number)
    place.mkdir()
    url = f"sqlite:///{folder / f'{number}.db'}"
    load(url, lines)
    request = Request.model_validate(
        {"run_id": f"run-{number}", "as_of": str(DAY), "market": market}
    )
    return extract(
        request, sql.make_url(url), BUCKET, clients.s3(), place, shards=2, forgotten=listed
    )


def scoring(manifest: Success) -> list[bytes]:
    return [latest(key) for key in sorted(manifest.digests)]


LINES = st.builds(
    line, st.sampled_from(["ana", "17850", " 17850.0", "ben"]), st.integers(0, 40), st.just("7")
)


@given(lines=st.lists(LINES, max_size=9))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_an_extraction_is_as_if_the_source_had_never_had_the_customer(
    aws: None, tmp_path_factory: pytest.TempPathFactory, lines: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("shop")
    lines = [*lines, line("ben", 3, "8")]
    others = [each for each in lines if "17850" not in str(each[0])]
    without = extracted(folder, lines, {"17850"})
    never = extracted(folder, others, None)
    assert scoring(without) == scoring(never)
    assert without.rejected[Rejection.FORGOTTEN] == len(lines) - len(others)
    assert without.rows_read == without.rows_used + sum(without.rejected.values())
    assert "17850" not in str([*everything("/default/").values()])


def test_lines_of_an_order_that_name_nobody_go_with_its_customer(aws: None, tmp_path: Path) -> None:
    lines = [line("17850", 5, "1"), line(None, 5, "1"), line("ben", 4, "2"), line(None, 4, "2")]
    manifest = extracted(tmp_path, lines, {"17850"})
    used = manifest.rows_used + manifest.rejected[Rejection.DUPLICATE]
    assert (manifest.rejected[Rejection.FORGOTTEN], used) == (2, 2)


def test_a_later_extraction_brings_nobody_back(
    cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that reuses the rows of a run of before, whose files were not looked at."""
    lines = [line("17850.0", 30, "1"), line("ben", 20, "2"), line("17850", 1, "3")]
    first = extracted(tmp_path, lines, None, name="uk")
    assert "17850" in str([*everything().values()])
    forget("17850")
    assert "17850" not in str([*everything().values()])
    listed = _listed()
    second = extracted(tmp_path, lines, listed, name="uk")
    assert "17850" not in str([*everything().values()])
    assert (first.customers, second.customers) == (2, 1)
    assert customers.without(pl.DataFrame({"lead_id": ["17850.0", "x"]}), listed).rows() == [("x",)]
