import json
import re
from functools import reduce
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.extract_orders.request import Success
from lambdas.reconcile.account import Extraction, reconciled
from lambdas.reconcile.handler import handle
from lambdas.shared import clients
from lambdas.shared.digests import NOBODY, with_customer
from lambdas.shared.errors import RowsLost
from lambdas.shared.ledger import Ledger
from lambdas.shared.runs import Run

RUN = Run("ordergap-123456789012", "nightly-2011-12-09", "uk")


def jsonl(customers):
    return b"".join(b'{"customer_id": "%s"}\n' % each.encode() for each in customers)


def digest(customers):
    return reduce(with_customer, customers, NOBODY)


class Bucket:
    """The objects of a run whose counts agree, until a test changes one."""

    def __init__(self, sizes=(3, 5), page=1000):
        self.objects = {}
        self.page = page
        self.body_reads = 0
        self.success: Any = {
            "customers": sum(sizes), "leads": 0, "scoring_files": len(sizes),
            "rows_read": 100, "rows_used": 90, "rejected": {"no_customer_id": 7, "duplicate": 3},
            "watermark": "2011-12-09", "digests": {},
        }  # fmt: skip
        for number, size in enumerate(sizes):
            customers = [f"c{number}-{n}" for n in range(size)]
            self.extracted(number, customers)
            self.scored(number, customers)

    def extracted(self, number, customers):
        part = RUN.score_part(number)
        self.objects[part] = jsonl(customers)
        self.success["digests"][part] = digest(customers)

    def scored(self, number, customers, rejected=()):
        """The customers' lines were stored, the `rejected` ones were not."""
        size = len(customers)
        self.objects[self.output(number)] = jsonl(customers) + b"".join(rejected)
        self.ledger(
            number, lines=size + len(rejected), written=max(0, size - 1),
            superseded=min(1, size), rejected=len(rejected), customers=digest(customers),
        )  # fmt: skip

    @staticmethod
    def output(number):
        return f"{RUN.predictions}part-{number:05}.jsonl.out"

    def ledger(self, number, **fields):
        key = self.output(number)
        content = {"key": key, "etag": self.etag(key), "finished": True} | fields
        self.objects[RUN.stored_part(key)] = Ledger(**content).model_dump_json().encode()

    def etag(self, key):
        return f'"{hash(self.objects[key])}"'

    def lose(self, key):
        del self.objects[key]

    # The S3 client's methods.

    def get_paginator(self, name: str):
        assert name == "list_objects_v2"
        return self

    def paginate(self, **parameters):
        keys = sorted(key for key in self.objects if key.startswith(parameters["Prefix"]))
        listing = [{"Key": key, "ETag": self.etag(key)} for key in keys]
        for start in range(0, len(listing), self.page):
            yield {"Contents": listing[start : start + self.page]}
        yield {}

    def get_object(self, **parameters):
        objects = self.objects | {RUN.success: json.dumps(self.success).encode()}
        if self.success is None:
            del objects[RUN.success]
        if parameters["Key"] not in objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "no"}}, "GetObject")
        self.body_reads += parameters["Key"].startswith(RUN.score)
        return {"Body": Body(objects[parameters["Key"]])}


class Body:
    def __init__(self, content):
        self.content = content

    def read(self):
        return self.content

    def iter_lines(self, size):  # noqa: ARG002
        return iter(self.content.splitlines())


def refused(bucket: object) -> str:
    with pytest.raises(RowsLost) as lost:
        reconciled(bucket, RUN)
    return str(lost.value)


def test_counts_that_agree_make_a_sentence():
    bucket = Bucket((1200, 34))
    counts = reconciled(bucket, RUN)
    assert counts.model_dump() == {
        "extracted": 1234, "scored": 1234, "written": 1232, "superseded": 2, "rejected": 0,
        "stale": 0, "leads": 0,
        "sentence": "1,234 customers extracted = 1,234 scored = 1,232 written + 2 superseded + "
        "0 rejected.",
    }  # fmt: skip
    assert bucket.body_reads == 0  # no line is counted where nothing is missing


def test_stale_forecasts_are_counted_and_said():
    bucket = Bucket((3, 5))
    for number, size in enumerate((3, 5)):
        customers = bucket.success["digests"][RUN.score_part(number)]
        bucket.ledger(number, lines=size, written=size, stale=size - 1, customers=customers)
    counts = reconciled(bucket, RUN)
    assert counts.model_dump()["stale"] == 6
    assert counts.model_dump()["sentence"].endswith("0 rejected. 6 forecasts are stale.")


def test_leads_are_extracted_and_scored_beside_the_customers():
    bucket = Bucket((1200, 34))
    bucket.success |= {"customers": 1200, "leads": 34}
    said = reconciled(bucket, RUN).model_dump()["sentence"]
    assert said.startswith("1,234 customers, 34 leads among them, extracted = 1,234 scored")
    bucket.success["leads"] = 33
    assert "1,233 customers were extracted, 1,234 were scored" in refused(bucket)


def test_a_run_from_before_there_were_leads_is_reconciled():
    bucket = Bucket()
    del bucket.success["leads"]
    assert reconciled(bucket, RUN).leads == 0


def test_a_listing_of_many_pages_is_read_to_its_end():
    assert reconciled(Bucket((1,) * 23, page=5), RUN).extracted == 23


def test_a_run_without_customers_agrees():
    counts = reconciled(Bucket(()), RUN).model_dump()
    assert counts["sentence"].startswith("0 customers extracted = 0 scored")


@pytest.mark.parametrize("damage", [None, {}, []])
def test_an_incomplete_extraction_is_named(damage):
    bucket = Bucket()
    bucket.success = damage
    assert "_SUCCESS is missing or damaged" in refused(bucket)


def test_rows_of_the_source_that_are_not_accounted_for():
    bucket = Bucket()
    bucket.success["rows_used"] = 88
    message = refused(bucket)
    assert "100 rows were read from the source, but 88 used and 10 rejected" in message


def test_a_missing_scoring_file():
    bucket = Bucket()
    bucket.lose(RUN.score_part(1))
    message = refused(bucket)
    assert "2 scoring files were written, 1 exist" in message
    assert f"{bucket.output(1)} belongs to no scoring file" in message


def test_a_scoring_file_that_was_not_scored():
    bucket = Bucket()
    bucket.lose(bucket.output(1))
    message = refused(bucket)
    assert f"{RUN.score_part(1)} was not scored: {bucket.output(1)} is missing" in message
    assert "8 customers were extracted, 3 were scored" in message


def test_an_output_that_was_not_stored():
    bucket = Bucket()
    bucket.lose(RUN.stored_part(bucket.output(0)))
    assert f"{bucket.output(0)} was not stored" in refused(bucket)


def test_an_output_that_was_stored_in_part():
    bucket = Bucket()
    bucket.ledger(0, lines=2, written=2, finished=False)
    assert f"{bucket.output(0)} was stored only up to line 2" in refused(bucket)


def test_an_output_that_changed_after_it_was_stored():
    bucket = Bucket()
    bucket.ledger(0, lines=3, written=3, etag='"other"')
    assert f"{bucket.output(0)} changed after it was stored" in refused(bucket)


def test_a_ledger_that_does_not_add_up():
    bucket = Bucket()
    bucket.ledger(0, lines=3, written=1, superseded=1)
    message = refused(bucket)
    assert f"{bucket.output(0)} has 3 lines, but 1 were written, 1 superseded and 0 rej" in message


def test_an_output_with_fewer_lines_than_its_scoring_file():
    bucket = Bucket((3, 5, 4))
    bucket.ledger(1, lines=2, written=2)
    message = refused(bucket)
    assert "12 customers were extracted, 9 were scored" in message
    assert f"{RUN.score_part(1)} has 5 customers, its output 2" in message
    assert "part-00000" not in message


def test_a_lost_customer_beside_a_doubled_one():
    bucket = Bucket((2, 2))
    bucket.extracted(0, ["A", "B"])
    bucket.scored(0, ["A", "A"])
    message = refused(bucket)
    assert "extracted, " not in message, "the counts agree"
    assert f"{RUN.score_part(0)} has 2 customers, its output 2: 1 lost, such as 'B', " in message
    assert "1 more often than in the file, such as 'A'" in message
    assert "part-00001" not in message


def test_customers_who_changed_places_between_files():
    bucket = Bucket((2, 2))
    bucket.scored(0, ["c0-0", "c1-1"])
    bucket.scored(1, ["c1-0", "c0-1"])
    message = refused(bucket)
    assert "1 lost, such as 'c0-1', 1 not in the file, such as 'c1-1'" in message
    assert "1 lost, such as 'c1-1', 1 not in the file, such as 'c0-1'" in message


def test_a_customer_nobody_extracted_in_place_of_another():
    bucket = Bucket((3, 5))
    bucket.scored(1, ["c1-0", "c1-1", "stranger", "c1-3", "c1-4"])
    message = refused(bucket)
    assert "1 lost, such as 'c1-2', 1 not in the file, such as 'stranger'" in message


def test_a_customer_doubled_beside_all_others():
    bucket = Bucket((3, 5))
    bucket.scored(0, ["c0-0", "c0-1", "c0-2", "c0-2"])
    message = refused(bucket)
    assert "8 customers were extracted, 9 were scored" in message
    assert "has 3 customers, its output 4: 1 more often than in the file, such as" in message


def test_a_scoring_file_that_changed_after_the_extraction():
    bucket = Bucket((2,))
    changed = ["c0-0", "c0-0"]
    bucket.objects[RUN.score_part(0)] = jsonl(changed)
    bucket.scored(0, changed)
    assert f"{RUN.score_part(0)} changed after it was extracted" in refused(bucket)


def test_a_ledger_of_other_customers_than_the_output_has():
    bucket = Bucket((2,))
    bucket.ledger(0, lines=2, written=2, customers=digest(["c0-0", "c0-0"]))
    assert f"{bucket.output(0)} was stored with other customers than it has" in refused(bucket)


@pytest.mark.parametrize("line", [b"rubbish\n", b"[1]\n", b'{"customer_id": null}\n'])
def test_a_rejected_line_stands_for_one_customer_and_no_more(line):
    bucket = Bucket((3, 5))
    bucket.scored(0, ["c0-0", "c0-1"], rejected=[line])
    assert reconciled(bucket, RUN).rejected == 1
    bucket.scored(0, ["c0-0"], rejected=[line])
    bucket.scored(1, [f"c1-{n}" for n in range(5)], rejected=[line])  # so that the sums agree
    message = refused(bucket)
    assert f"{RUN.score_part(0)} has 3 customers, its output 2: 2 lost, such as 'c0-1'" in message
    assert f"{RUN.score_part(1)} has 5 customers, its output 6" in message


def test_a_rejected_line_of_a_known_customer_is_accounted_for():
    bucket = Bucket((2,))
    bucket.scored(0, ["c0-0"], rejected=[b'{"customer_id": "c0-1", "error": "no orders"}\n'])
    assert reconciled(bucket, RUN).rejected == 1


def account(parts, outputs):
    """Whether every output has the customers of its part: the sets and counts, in plain words."""
    return all(sorted(part) == sorted(output) for part, output in zip(parts, outputs, strict=True))


@given(st.data())
def test_whoever_is_lost_doubled_moved_or_made_up_the_account_does_not_agree(data):
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    bucket = Bucket(sizes)
    parts = [[f"c{number}-{n}" for n in range(size)] for number, size in enumerate(sizes)]
    everybody = [customer for part in parts for customer in part] + ["stranger"]
    lines = st.lists(st.sampled_from(everybody), max_size=5)
    outputs = [data.draw(st.one_of(st.just(part), st.permutations(part), lines)) for part in parts]
    for number, output in enumerate(outputs):
        bucket.scored(number, output)
    if account(parts, outputs):
        assert reconciled(bucket, RUN).scored == sum(sizes)
    else:
        refused(bucket)


def test_many_problems_are_named_up_to_ten_and_counted():
    bucket = Bucket((1,) * 30)
    for number in range(30):
        bucket.lose(bucket.output(number))
    message = refused(bucket)
    assert message.count("was not scored") == 10
    assert "and 21 more" in message


@settings(max_examples=50)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.integers(0, 5),
    st.sampled_from(["output", "ledger", "part", "line"]),
)
def test_whatever_is_lost_is_named_with_its_file(sizes, number, kind):
    number %= len(sizes)
    bucket = Bucket(sizes)
    if kind == "line":
        bucket.ledger(number, lines=sizes[number] - 1, written=sizes[number] - 1)
    else:
        keys = {
            "output": bucket.output(number),
            "ledger": RUN.stored_part(bucket.output(number)),
            "part": RUN.score_part(number),
        }
        bucket.lose(keys[kind])
    named = set(re.findall(r"part-\d{5}", refused(bucket)))
    assert named == {f"part-{number:05}"}


def test_the_compared_fields_are_those_the_extraction_writes():
    for name, field in Extraction.model_fields.items():
        assert name in Success.model_fields, name
        assert field.is_required() == (name != "leads"), "files of before there were leads lack it"


def test_an_error_of_s3_is_no_lost_row():
    class Denied(Bucket):
        def get_object(self, **parameters):  # noqa: ARG002
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    with pytest.raises(ClientError):
        reconciled(Denied(), RUN)


def test_the_function_reads_the_objects_of_the_other_functions(aws, event, context, capsys):
    s3 = clients.s3()

    def put(key, content):
        return s3.put_object(Bucket=RUN.bucket, Key=key, Body=content)["ETag"]

    bucket = Bucket((2, 1))
    put(RUN.success, json.dumps(bucket.success))
    for number, size in enumerate((2, 1)):
        part, key = RUN.score_part(number), Bucket.output(number)
        put(part, bucket.objects[part])
        etag = put(key, bucket.objects[key])
        ledger = Ledger(
            key=key, etag=etag, lines=size, written=size, finished=True,
            customers=bucket.success["digests"][part],
        )  # fmt: skip
        put(RUN.stored_part(key), ledger.model_dump_json())
    answer = handle(event("reconcile"), context)
    assert (answer["extracted"], answer["scored"], answer["written"]) == (3, 3, 3)
    assert answer["sentence"] in capsys.readouterr().out
    s3.delete_object(Bucket=RUN.bucket, Key=Bucket.output(1))
    with pytest.raises(RowsLost, match="was not scored"):
        handle(event("reconcile"), context)
    s3.put_object(Bucket=RUN.bucket, Key=Bucket.output(1), Body=b"")
    with pytest.raises(RowsLost, match="changed after it was stored"):
        handle(event("reconcile"), context)
