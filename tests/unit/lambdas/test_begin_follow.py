"""begin_follow: when forecasts are kept, with which files, and beside which challenger."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordergap.cli import follow as command

from lambdas.begin_follow.handler import handle
from lambdas.begin_follow.job import described
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent
from lambdas.shared.feed import Feed
from lambdas.shared.flags import Flags
from lambdas.shared.runs import Run
from tests.unit.lambdas.conftest import BUCKET, Context

NIGHT = datetime.date(2011, 12, 9)
ONE = datetime.timedelta(1)
RUN = Run(BUCKET, "night", "uk")
GROUP = "ordergap-uk"


def put(key: str, body: str = "x") -> None:
    clients.s3().put_object(Bucket=BUCKET, Key=key, Body=body.encode())


def extracted(watermark: datetime.date = NIGHT) -> None:
    feed = Feed(
        run_id="night", as_of=NIGHT, watermark=watermark, overlap_days=3, full=True, rows_read=0,
        rejected={}, days={},
    )  # fmt: skip
    put(RUN.days, feed.model_dump_json())


def kept(*ago: int, judged: bool = True) -> None:
    for each in ago:
        put(f"cohorts/uk/{NIGHT - each * ONE}_earlier.parquet")
    day = NIGHT - min(ago) * ONE if judged else None
    put(RUN.flags, Flags(as_of=NIGHT, judged=day).model_dump_json())


def begun(**asked: Any) -> dict[str, Any]:
    event = {
        "run_id": "night", "market": "uk", "prefix": RUN.prefix, "as_of": NIGHT.isoformat(),
        "asked": asked,
        "verdict": {"group": GROUP, "artifact": "s3://b/champion/model.tar.gz",
                    "model_version": "m1"},
    }  # fmt: skip
    context: Any = Context()
    answer: dict[str, Any] = json.loads(json.dumps(handle(event, context)))
    return answer


def value(job: dict[str, Any], option: str) -> str:
    words: list[str] = job["arguments"]
    return words[words.index(option) + 1]


def places(job: dict[str, Any]) -> dict[str, str]:
    """Where an input goes -> where it is from."""
    inputs = (each["S3Input"] for each in job["inputs"])
    return {each["LocalPath"].removeprefix("/opt/ml/processing/"): each["S3Uri"] for each in inputs}


def test_the_first_forecasts_are_kept_and_no_folder_is_asked_for_that_is_empty(aws: None) -> None:
    extracted(NIGHT - 3 * ONE)
    found = begun()
    assert (found["due"], found["shadow"], found["report"]) == (True, False, None)
    assert places(found["job"]) == {
        "predictions": f"s3://{BUCKET}/runs/night/uk/predictions/",
        "orders": f"s3://{BUCKET}/runs/night/uk/train/",
        "models/champion": "s3://b/champion/model.tar.gz",
    }
    assert value(found["job"], "--as_of") == NIGHT.isoformat(), "else the orders end before it"


@pytest.mark.parametrize(("ago", "due"), [(6, False), (7, True), (30, True), (0, False)])
def test_forecasts_are_kept_a_week_after_the_last(aws: None, ago: int, due: bool) -> None:
    extracted()
    kept(ago, 60)
    found = begun()
    assert found["due"] == due
    assert found["report"] == f"s3://{BUCKET}/cohorts/uk/follow.html"
    assert begun(follow=True)["due"]
    assert not begun(follow=False)["due"]


def test_what_was_kept_and_not_judged_is_judged_the_next_night(aws: None) -> None:
    extracted()
    kept(1, judged=False)
    assert begun()["due"]
    put(RUN.flags, Flags(as_of=NIGHT, judged=NIGHT - 8 * ONE).model_dump_json())
    assert begun()["due"]


def test_other_objects_and_other_markets_are_no_cohorts(aws: None) -> None:
    extracted()
    kept(7)
    day = NIGHT - ONE
    for key in (
        f"{day}_x_challenger.parquet",
        "follow.json",
        f"models/{day}_a.parquet",
        "c.parquet",
    ):
        put(f"cohorts/uk/{key}")
    put(f"cohorts/de/{day}_x.parquet")
    assert begun()["due"]


def test_orders_tell_of_the_days_until_the_last_row(aws: None) -> None:
    extracted(NIGHT - 2 * ONE)
    kept(7)
    found = begun()
    assert value(found["job"], "--as_of") == (NIGHT - 2 * ONE).isoformat()
    assert places(found["job"])["forecasts/kept"] == f"s3://{BUCKET}/cohorts/uk/"
    clients.s3().delete_object(Bucket=BUCKET, Key=RUN.days)
    with pytest.raises(BadEvent, match="extract the orders first"):
        begun()


def register(version: str, status: str) -> None:
    clients.sagemaker().create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus=status,  # type: ignore[arg-type]
        InferenceSpecification={
            "Containers": [{"Image": f"shop:{version}", "ModelDataUrl": "s3://b/elsewhere"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        CustomerMetadataProperties={"model_version": version, "artifact": f"s3://b/{version}"},
    )


def test_the_challenger_is_the_newest_model_that_is_not_in_use(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    extracted()
    clients.sagemaker().create_model_package_group(ModelPackageGroupName=GROUP)
    register("m1", "Approved")
    alone = begun(shadow=True)
    assert not alone["shadow"]
    assert alone["sentence"] == (
        "There is no challenger: no model but the one in use is registered."
    )
    for version, status in (("m2", "Rejected"), ("m3", "Rejected"), ("m1", "Approved")):
        register(version, status)
    found = begun(shadow=True)
    assert found["challenger"] == {
        "model_version": "m3", "image": "shop:m3", "artifact": "s3://b/m3"
    }  # fmt: skip
    assert "--challenger" not in found["job"]["arguments"]
    assert value(found["with_challenger"], "--challenger").endswith("/challenger")
    both = places(found["with_challenger"])
    assert both["models/challenger"] == "s3://b/m3"
    assert both["challenger"].rstrip("/") == found["challenger_uri"]
    assert not begun()["shadow"]
    monkeypatch.setenv("ORDERGAP_SHADOW", "true")
    assert begun()["shadow"]
    assert not begun(shadow=False)["shadow"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True), st.booleans())
def test_the_container_accepts_every_job(
    monkeypatch: pytest.MonkeyPatch, run_id: str, rival: bool
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(command, "_run", seen.append)
    archives = {"champion": "s3://b/m1"} | ({"challenger": "s3://b/m2"} if rival else {})
    job = described(Run(BUCKET, run_id, "uk"), NIGHT, archives, has_cohorts=True)
    assert job.arguments[0] == "follow"
    command.run(job.arguments[1:])
    [parsed] = seen
    assert (parsed.run, parsed.as_of) == (run_id, NIGHT)
    assert bool(parsed.challenger) == rival
    outputs = [each["S3Output"]["LocalPath"] for each in job.outputs]
    assert outputs == [str(parsed.add_to), str(parsed.output)]
    assert all(len(each) <= 256 for each in job.arguments)
