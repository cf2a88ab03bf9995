"""Attributes in requests: which are read, refused or left out, and in the form of two files."""

from __future__ import annotations

import io
import json
import math
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from ordergap import features
from ordergap.artifacts import Bundle
from ordergap.attributes import number, text
from ordergap.contract.attributes import AttributeParameters
from ordergap.contract.hyperparameters import parse
from ordergap.contract.manifest import Manifest, TaskSection
from ordergap.contract.prediction import ScoringRecord
from ordergap.errors import InvalidRequest
from ordergap.forecaster import Forecaster
from ordergap.models.next_order import NextOrderHead
from ordergap.serving.app.application import create_app
from ordergap.serving.formats import records
from ordergap.serving.formats.codecs import decode
from ordergap.serving.formats.question import Orders
from ordergap.settings import Settings
from pydantic import ValidationError
from werkzeug.test import EnvironBuilder

from tests.unit.conftest import Checksum
from tests.unit.serving.conftest import TODAY

ASKED = AttributeParameters(numeric_attributes=("birth_year",), category_attributes=("region",))
NAMES = ("attribute:birth_year", "attribute:region=north")
ORDERS = [{"date": "2011-12-01", "amount": 5.0}]


@pytest.fixture(scope="module")
def model(bundle: Bundle) -> Forecaster:
    """A model whose answers change with every attribute."""
    names = features.names(calendar=False, more=NAMES)
    own = bundle.heads["next_order"]
    assert isinstance(own, NextOrderHead)
    head = NextOrderHead(Checksum(names), own.interval_levels, own.population)
    large = TaskSection(kind="exceedance", parameters={"thresholds": [50.0]},
                        feature_names=names, files={})  # fmt: skip
    section = bundle.manifest.tasks["next_order"].model_copy(update={"feature_names": names})
    manifest = bundle.manifest.model_copy(
        update={
            "tasks": {"next_order": section, "large_order": large},
            "hyperparameters": parse(
                {"numeric_attributes": "birth_year", "category_attributes": "region"}
            ),
        }
    )
    return Forecaster(Bundle(manifest, {"next_order": head}))


@pytest.fixture
def client(model: Forecaster) -> FlaskClient:
    return create_app(model, Settings(), lambda: TODAY).test_client()


def record(attributes: Any = None, name: str = "a") -> dict[str, Any]:
    own = {} if attributes is None else {"attributes": attributes}
    return {"customer_id": name, "orders": ORDERS, **own}


def probability(client: FlaskClient, attributes: Any) -> float:
    (answer,) = client.post("/invocations", json=[record(attributes)]).get_json()["predictions"]
    found: float = answer["buy_probability"]["30"]
    return found


def test_every_attribute_is_read_and_none_is_needed(client: FlaskClient) -> None:
    known = {"region": "north", "birth_year": 1980}
    different = [known, {**known, "region": "south"}, {**known, "birth_year": 1981}]
    answers = [probability(client, each) for each in (*different, {"region": "south"}, None)]
    assert len({*answers}) == len(answers)
    assert probability(client, {**known, "shoe_size": 41, "colours": None}) == answers[0]
    assert probability(client, {"birth_year": "1980", "region": " north "}) == answers[0]
    assert probability(client, {"birth_year": None, "region": ""}) == answers[-1]
    assert probability(client, {}) == answers[-1]


def test_a_vector_has_the_encoded_columns(client: FlaskClient, model: Forecaster) -> None:
    known = {"region": "north", "birth_year": 1980}
    histories, _ = records.read([record(known)], 15_317, rules=records.Rules(asked=ASKED))
    (vector,) = features.compute(histories, model.manifest.feature_names)
    cells = ["" if math.isnan(each) else repr(float(each)) for each in vector]
    assert cells[-2:] == ["1980.0", "1.0"]
    row = ",".join(["a", "2011-12-01", *cells])
    answer = client.post("/invocations", data=row, headers={
        "Content-Type": "text/csv", "Accept": "application/json"
    }).get_json()["predictions"][0]  # fmt: skip
    assert answer["buy_probability"]["30"] == probability(client, known)


@pytest.mark.parametrize(
    ("attributes", "field", "message", "hint"),
    [
        ({"birth_year": "old"}, "attributes.birth_year", "= 'old': expected a number", None),
        ({"birth_year": True}, "attributes.birth_year", "= True: expected a number", None),
        ({"birth_year": 1e15}, "attributes.birth_year", "expected a number up to 1e12", None),
        ({"region": ["n"]}, "attributes.region", "expected text, a number or null", None),
        ({"other": {}}, "attributes.other", "expected text, a number or null", None),
        ({"Birth Year": 1980}, "attributes.Birth Year", "no attribute 'Birth Year'", "birth_year"),
        ("north", "attributes", "'north'", None),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: FlaskClient, attributes: Any, field: str, message: str, hint: str | None
) -> None:
    answer = client.post("/invocations", json=[record(), record(attributes, "b")])
    assert answer.status_code == 400
    error = answer.get_json()["error"]
    assert (error["record"], error["field"]) == (1, field)
    assert message in error["message"]
    assert hint is None or hint in error["hint"]
    some = client.post("/invocations", json=[record(), record(attributes, "b")], headers={
        "Content-Type": "application/json; on_bad_record=placeholder"
    }).get_json()["predictions"]  # fmt: skip
    assert [each["customer_id"] for each in some] == ["a", "b"]
    assert "attribute" in some[1]["error"]


values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
)
fields = st.none() | st.text() | st.dictionaries(
    st.sampled_from(["birth_year", "region", "other", "Region"]),
    values | st.lists(st.none(), max_size=1),
)  # fmt: skip


@given(st.lists(fields, min_size=1, max_size=3))
def test_records_are_read_as_the_contract_and_each_value_say(batch: list[Any]) -> None:
    given = [record(each, f"c{i}") for i, each in enumerate(batch)]

    def expected() -> list[dict[str, Any]]:
        found = []
        for each in given:
            own = ScoringRecord.model_validate(each).attributes or {}
            if "Region" in own and "region" not in own:
                raise ValueError("misspelled")
            year, region = number(own.get("birth_year")), text(own.get("region"))
            found.append(
                ({} if math.isnan(year) else {"birth_year": year})
                | ({} if region is None else {"region": region})
            )
        return found

    try:
        wanted = expected()
    except (ValueError, ValidationError):
        with pytest.raises(InvalidRequest):
            records.read(given, 15_317, rules=records.Rules(asked=ASKED))
        return
    histories, _ = records.read(given, 15_317, rules=records.Rules(asked=ASKED))
    facts = histories.attributes
    assert (facts.records(15_317) if facts else [{}] * len(given)) == wanted


def test_customers_csv_brings_attributes(model: Forecaster) -> None:
    customers = "customer_id,Birth_Year,region,birth_year\n7,x,north,1980\n8,y,,\n"
    orders = [{"customer_id": name, "date": "2011-12-01", "amount": 5} for name in ("7", "8", "9")]
    builder = EnvironBuilder(method="POST", data={
        "customers": (io.BytesIO(customers.encode()), "customers.csv"),
        "transactions": (io.BytesIO(json.dumps(orders).encode()), "transactions.json"),
    })  # fmt: skip
    request = builder.get_request()
    question = decode(request.get_data(), request.content_type or "", model.manifest, 15_317)
    assert isinstance(question, Orders)
    assert question.histories.customer_ids == ["7", "8", "9"]
    facts = question.histories.attributes
    assert facts
    assert facts.records(15_317) == [{"birth_year": 1980.0, "region": "north"}, {}, {}]


def test_the_manifest_names_the_columns(model: Forecaster) -> None:
    manifest: Manifest = model.manifest
    assert manifest.csv_columns[-2:] == NAMES
