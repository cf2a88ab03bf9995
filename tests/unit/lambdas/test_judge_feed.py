"""judge_feed: broken sources that are refused, whole ones that are not, and when a run trains."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ordergap.contract.orders import Rejection

from lambdas.judge_feed import rules
from lambdas.judge_feed.cadence import cadence, digest
from lambdas.judge_feed.handler import RUNBOOK, handle
from lambdas.shared import clients
from lambdas.shared.errors import BadEvent, FeedBroken
from lambdas.shared.events import Asked
from lambdas.shared.feed import Day, Feed, total
from lambdas.shared.flags import Flags
from lambdas.shared.registry import Package
from tests.stack import ROOT
from tests.unit.lambdas.conftest import BUCKET

ONE = datetime.timedelta(1)
NIGHT = datetime.date(2011, 12, 9)  # a Friday
Days = dict[datetime.date, Day]


def shop(days: int = 200, seed: int = 0) -> Days:
    """A shop of some 40 orders a day that is closed on Saturdays, until `NIGHT`."""
    random = np.random.default_rng(seed)
    every = [NIGHT - ago * ONE for ago in range(days)][::-1]
    return {
        day: Day(
            int(random.poisson(120)), int(random.poisson(40)), 3, float(random.normal(800, 60))
        )
        for day in every
        if day.isoweekday() != 6
    }


def feed(days: Mapping[datetime.date, Day], as_of: datetime.date = NIGHT, **fields: Any) -> Feed:
    until = {day: sums for day, sums in days.items() if day <= as_of}
    settings: dict[str, Any] = {
        "run_id": f"night-{as_of}", "as_of": as_of, "watermark": max(until), "overlap_days": 3,
        "full": True, "rows_read": sum(sums.rows for sums in until.values()), "rejected": {},
    }  # fmt: skip
    return Feed(**settings | fields, days=until)


SHOP = shop()
LAST_NIGHT = feed(SHOP, NIGHT - ONE)


def found(days: Days, accepted: Feed = LAST_NIGHT, **fields: Any) -> list[str]:
    night = feed(days, **fields)
    return rules.changed(night, accepted) + rules.rejected(night, accepted)


def times(sums: Day, rows: float = 1, orders: float = 1, amount: float = 1) -> Day:
    return Day(
        int(sums.rows * rows), int(sums.orders * orders), sums.customers, sums.amount * amount
    )


def test_an_ordinary_night_is_accepted() -> None:
    assert found(SHOP) == []
    assert rules.stopped(feed(SHOP), NIGHT, 2) == []
    assert rules.changed(feed(SHOP), feed(SHOP, NIGHT - 7 * ONE)) == []


OLD = NIGHT - 10 * ONE
FAULTS: dict[str, tuple[Callable[[], Days], str]] = {
    "prices x1.3": (
        lambda: {day: times(sums, amount=1.3) for day, sums in SHOP.items()},
        "the amount of 167 days before 2011-12-05 changed by 30.0%",
    ),
    "a fifth of the customers lost": (
        lambda: {day: times(sums, 0.8, 0.8, 0.8) for day, sums in SHOP.items()},
        "the orders of 167 days",
    ),
    "dates moved": (lambda: {day - ONE: sums for day, sums in SHOP.items()}, "the orders of"),
    "every second day missing": (
        lambda: {day: sums for i, (day, sums) in enumerate(SHOP.items()) if i % 2},
        "the orders of 83 days",
    ),
    "a day missing": (
        lambda: {day: sums for day, sums in SHOP.items() if day != OLD},
        f"the rows of 1 days changed since run night-2011-12-08: {OLD} has 0, had",
    ),
    "a day loaded twice": (
        lambda: {day: times(sums, 2 if day == OLD else 1) for day, sums in SHOP.items()},
        "the rows of 1 days changed",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_old_rows_is_found_on_its_first_night(name: str) -> None:
    make, sentence = FAULTS[name]
    [said, *_] = found(make())
    assert sentence in said


def test_the_days_that_changed_most_are_named_with_their_figures() -> None:
    changed = {day: times(sums, orders=2 if day == OLD else 1.05) for day, sums in SHOP.items()}
    [said] = found(changed)
    assert f"{OLD} has {2 * SHOP[OLD].orders}, had {SHOP[OLD].orders}, " in said


@given(days=st.lists(st.integers(5, 190), max_size=4), share=st.floats(0, 1))
def test_a_few_large_orders_that_are_cancelled_later_are_no_change(
    days: list[int], share: float
) -> None:
    cancelled = SHOP | {
        day: times(SHOP[day], amount=1 - share)
        for ago in days
        if (day := NIGHT - ago * ONE) in SHOP
    }
    assert found(cancelled) == []


@given(ago=st.integers(0, 4), factor=st.floats(0, 9))
def test_days_within_the_overlap_may_change(ago: int, factor: float) -> None:
    day = NIGHT - ago * ONE
    assert found(SHOP | {day: times(SHOP.get(day, Day()), factor, factor, factor)}) == []


def last(days: int) -> Days:
    return {day: sums for day, sums in SHOP.items() if day >= NIGHT - days * ONE}


def test_a_query_of_the_last_days_is_no_change() -> None:
    week_ago = NIGHT - 7 * ONE
    assert found(last(99), feed(last(106), week_ago)) == []
    assert found(last(80), feed(last(106), week_ago))
    misread = {datetime.date(1970, 1, 1): Day(1, 0, 0, 0.0)}
    assert found(misread | last(99), feed(misread | last(106), week_ago)) == []


def test_amounts_that_come_to_be_known_are_no_change() -> None:
    unknown = {day: times(sums, amount=0) for day, sums in SHOP.items()}
    assert found(SHOP, feed(unknown, NIGHT - ONE)) == []


@pytest.mark.parametrize("days", [3, 20, 107])
def test_a_source_that_stopped_is_found(days: int) -> None:
    [said] = rules.stopped(feed(SHOP), NIGHT + days * ONE, 2)
    assert f"no order for {days} days until {NIGHT + days * ONE}, the last on {NIGHT}" in said


def test_an_empty_day_is_found_where_that_weekday_always_sold() -> None:
    friday = {day: sums for day, sums in SHOP.items() if day != NIGHT}
    [said] = rules.stopped(feed(friday, watermark=NIGHT), NIGHT, 2)  # its rows are of no order
    assert "no order on Friday 2011-12-09; that weekday had" in said
    assert rules.stopped(feed(SHOP), NIGHT + ONE, 2) == []  # a Saturday
    one_quiet = friday | {NIGHT - 7 * ONE: Day(9, 4, 1, 80.0)}
    assert rules.stopped(feed(one_quiet), NIGHT, 2) == []


def test_a_small_shop_may_pause_as_long_as_it_did_before() -> None:
    rare = {NIGHT - ago * ONE: Day(1, 1, 0, 5.0) for ago in (0, 6, 7, 19, 40)}
    assert rules.stopped(feed(rare), NIGHT + 20 * ONE, 2) == []
    assert rules.stopped(feed(rare), NIGHT + 21 * ONE, 2)
    assert rules.stopped(feed(rare), NIGHT + 21 * ONE, 30) == []


def test_a_reason_of_rejection_that_more_than_doubles_is_found() -> None:
    rows = LAST_NIGHT.rows_read
    before = LAST_NIGHT.model_copy(update={"rejected": {Rejection.DUPLICATE: rows // 50}})
    for more, many in ((0.0205, False), (0.041, True)):
        rejected = {Rejection.DUPLICATE: int(more * rows)}
        assert bool(found(SHOP, before, rejected=rejected, rows_read=rows)) == many
    later = {Rejection.LATER: rows}  # rows after as_of say nothing of the source
    assert found(SHOP, before, rejected=later, rows_read=2 * rows) == []


def test_tonights_rows_are_held_to_their_own_shares() -> None:
    """A day that comes twice is mostly duplicates, and hardly seen beside all rows."""
    rows = LAST_NIGHT.rows_read
    [said] = found(SHOP, rejected={Rejection.DUPLICATE: 120}, rows_read=rows + 240)
    assert said.startswith("50.0% of the rows that came since are rejected for duplicate line")
    assert found(SHOP, rejected={Rejection.DUPLICATE: 12}, rows_read=rows + 240) == []


def test_sums_of_parts_add_up_to_those_of_the_whole() -> None:
    parts: list[Days] = [{}, {}, {}]
    for i, (day, sums) in enumerate(SHOP.items()):
        parts[i % 3][day] = sums
        parts[(i + 1) % 3][day] = Day(1, 1, 1, 1.0)
    whole = total(parts)
    assert whole == {day: Day(r + 1, o + 1, c + 1, a + 1) for day, (r, o, c, a) in SHOP.items()}
    assert [*whole] == sorted(whole)


# When a run trains.

YOUNG = Package("f82", "s3://b/model.tar.gz", None, NIGHT - 3 * ONE, "same", "image")


def decide(
    champion: Package | None = YOUNG,
    flags: Flags | None = None,
    held: str | None = None,
    newest: Package | None = None,
    **asked: Any,
) -> Any:
    return cadence(Asked(**asked), champion, flags, NIGHT, "same", 28, held, newest, 7)


def test_a_young_champion_scores() -> None:
    train, reason = decide()
    assert not train
    assert "the champion is 3 days old, and is replaced after 28 days" in reason


def aged(days: int, *, approved: bool = True) -> Package:
    made = NIGHT - days * ONE
    return Package("f82", "s3://b/model.tar.gz", None, made, "same", "image", approved=approved)


def rejected(days: int) -> Package:
    return aged(days, approved=False)


@pytest.mark.parametrize(
    ("asked", "champion", "flags", "reason"),
    [
        ({}, None, None, "there is no approved model"),
        (
            {},
            Package("arn", None, None, NIGHT, "same", "i"),
            None,
            "there is no approved model",
        ),
        ({"train": True}, YOUNG, None, "it was asked for"),
        ({}, Package("f", "s3://b/m", None, NIGHT, "other", "i"), None, "other settings"),
        ({}, Package("f", "s3://b/m", None, NIGHT, None, "i"), None, "other settings"),
        ({}, aged(29), None, "the champion is 29 days old, more than 28"),
        ({"retrain_days": 2}, YOUNG, None, "3 days old, more than 2"),
        ({}, YOUNG, Flags(as_of=NIGHT, inputs="Amounts doubled."), "Amounts doubled."),
        ({}, YOUNG, Flags(as_of=NIGHT, rank="AUC fell.", ageing="Old."), "AUC fell. Old."),
    ],
)
def test_a_run_trains_for_a_reason(
    asked: dict[str, Any], champion: Package | None, flags: Flags | None, reason: str
) -> None:
    train, said = decide(champion, flags, **asked)
    assert train
    assert reason in said


def test_while_promotion_is_held_a_run_trains_only_if_asked() -> None:
    train, reason = decide(aged(99), held="rolled back")
    assert not train
    assert reason == "Not trained: promotion is held: rolled back."
    assert decide(aged(99), held="rolled back", train=True).train
    assert decide(None, held="rolled back").train


def test_what_is_no_reason_to_train() -> None:
    assert not decide(aged(28)).train
    assert not decide(aged(-5)).train  # of a later day than the run
    assert not decide(aged(29), retrain_days=40).train
    of_old = Flags(as_of=YOUNG.as_of, rank="AUC fell.")  # the champion is the answer to it
    assert not decide(flags=of_old).train
    level = Flags.model_validate({"as_of": NIGHT, "level": "O/E is 1.6."})
    assert not decide(flags=level).train


def test_after_a_model_that_was_not_promoted_the_same_reason_waits() -> None:
    other = dataclasses.replace(aged(3), settings="other")
    for champion, why in ((aged(29), "29 days old, more than 28"), (other, "other settings")):
        train, reason = decide(champion, newest=rejected(6))
        assert not train
        assert why in reason
        assert f"A model as of {NIGHT - 6 * ONE} was not promoted" in reason
        assert "the next one is trained 7 days after it" in reason
        for trained in (
            decide(champion, newest=rejected(7)),
            decide(champion, newest=dataclasses.replace(rejected(1), settings="those before")),
            decide(champion, newest=rejected(1), train=True),
        ):
            assert trained.train
    assert "the champion is 3 days old" in decide(newest=rejected(1)).reason


@given(champion=st.integers(0, 60), tried=st.integers(0, 60), flag=st.integers(0, 60))
def test_drift_that_a_training_has_answered_is_none_until_a_week_has_passed(
    champion: int, tried: int, flag: int
) -> None:
    flags = Flags(as_of=NIGHT - flag * ONE, rank="AUC fell.")
    decided = decide(aged(champion), flags, newest=rejected(tried))
    answered = flag >= champion or (flag >= tried and tried < 7)
    assert (decided.reason == "Trained: AUC fell.") == (not answered)
    if answered and tried < 7:
        assert not decided.train


def test_settings_are_what_a_model_is_made_with() -> None:
    market = {"name": "uk", "table": "orders"}
    first = digest("image:1", {"trainer": "lstm"}, market)
    same = market | {"name": "de", "incremental": True, "secret_id": "shop", "database": "x://y"}
    assert digest("image:1", {"trainer": "lstm"}, same) == first
    others = [
        digest("image:2", {"trainer": "lstm"}, market),
        digest("image:1", {"trainer": "lstm", "seed": "7"}, market),
        digest("image:1", {"trainer": "lstm"}, market | {"customers_query": "SELECT 1"}),
    ]
    assert len({first, *others}) == 4


# The whole function, against an emulated AWS.


def put(key: str, body: str) -> None:
    clients.s3().put_object(Bucket=BUCKET, Key=key, Body=body)


def read(key: str) -> Any:
    return json.loads(clients.s3().get_object(Bucket=BUCKET, Key=key)["Body"].read())


@pytest.fixture
def night(aws: None, context: Any, event: Callable[[str], Any]) -> Callable[..., dict[str, Any]]:
    """Judges the sums of a run; `asked` are fields of its input."""

    def judge(sums: Feed, hour: int = 23, **asked: Any) -> Any:
        as_of = sums.as_of
        prefix = f"runs/{sums.run_id}/uk"
        put(f"{prefix}/days.json", sums.model_dump_json())
        sample = event("judge_feed")
        changed = {
            "run_id": sums.run_id, "prefix": prefix, "as_of": str(as_of),
            "started_at": f"{as_of}T{hour:02}:30:00Z", "asked": sample["asked"] | asked,
        }  # fmt: skip
        return handle(sample | changed, context)

    return judge


def approve(
    as_of: datetime.date | None,
    settings: str,
    status: Literal["Approved", "Rejected"] = "Approved",
) -> None:
    """Register a champion; without a day and settings as an earlier version did."""
    sagemaker = clients.sagemaker()
    if status == "Approved":
        sagemaker.create_model_package_group(
            ModelPackageGroupName="ordergap-uk", ModelPackageGroupDescription="of a test"
        )
    metadata = {"model_version": "f82", "artifact": "s3://b/model.tar.gz"}
    if as_of:
        metadata |= {"as_of": str(as_of), "settings": settings}
    sagemaker.create_model_package(
        ModelPackageGroupName="ordergap-uk",
        ModelApprovalStatus=status,
        CustomerMetadataProperties=metadata,
        InferenceSpecification={
            "Containers": [{"Image": "of-then", "ModelDataUrl": metadata["artifact"]}],
            "SupportedContentTypes": ["application/jsonlines"],
            "SupportedResponseMIMETypes": ["application/jsonlines"],
        },
    )


def test_the_first_run_trains_and_its_past_is_kept(night):
    judged = night(LAST_NIGHT)
    assert (judged["train"], judged["verdict"]) == (True, None)
    assert Feed.model_validate(read("feeds/uk/accepted.json")) == LAST_NIGHT


def test_a_young_champion_is_the_verdict_of_the_run(night):
    settings = night(LAST_NIGHT)["settings"]
    approve(NIGHT - 5 * ONE, settings)
    judged = night(feed(SHOP))
    assert not judged["train"]
    assert judged["verdict"] == read(f"runs/night-{NIGHT}/uk/verdict.json")
    assert judged["verdict"]["artifact"] == "s3://b/model.tar.gz"
    assert judged["verdict"]["reason"] == judged["reason"]
    put("feeds/uk/flags.json", Flags(as_of=NIGHT, rank="AUC fell.").model_dump_json())
    assert night(feed(SHOP, run_id="drift"))["reason"] == "Trained: AUC fell."


def test_a_rejected_model_is_not_trained_again_the_next_night(night):
    settings = night(LAST_NIGHT)["settings"]
    approve(NIGHT - 40 * ONE, settings)
    assert night(feed(SHOP))["reason"].startswith("Trained: the champion is 40 days old")
    approve(NIGHT - ONE, settings, "Rejected")
    judged = night(feed(SHOP, run_id="next"))
    assert not judged["train"]
    assert f"A model as of {NIGHT - ONE} was not promoted" in judged["reason"]
    approve(NIGHT, "other", "Rejected")  # as before a setting was changed back
    assert night(feed(SHOP, run_id="last"))["train"]


def test_the_age_of_the_champion_is_published_every_night(night, monkeypatch, capfd):
    def ages() -> list[list[float]]:
        lines = map(json.loads, filter(None, capfd.readouterr().out.splitlines()))
        return [line["ChampionAgeDays"] for line in lines if "ChampionAgeDays" in line]

    night(LAST_NIGHT)
    assert ages() == []
    approve(NIGHT - 5 * ONE, "of then")
    describe = clients.sagemaker().describe_model_package

    def older(**request: Any) -> Any:
        package = describe(**request)
        return package | {"CreationTime": package["CreationTime"] - datetime.timedelta(41.5)}

    monkeypatch.setattr(clients.sagemaker(), "describe_model_package", older)
    assert night(feed(SHOP))["train"]  # which may make it younger, as the next night says
    with pytest.raises(FeedBroken):
        night(feed({day: times(sums, amount=1.3) for day, sums in SHOP.items()}, run_id="dearer"))
    assert ages() == [[41.0], [41.0]]


def test_a_champion_of_an_earlier_version_is_replaced(night):
    approve(None, "")
    assert "other settings" in night(LAST_NIGHT)["reason"]


def test_a_changed_past_is_refused_until_it_is_accepted(night):
    night(LAST_NIGHT)
    dearer = feed({day: times(sums, amount=1.3) for day, sums in SHOP.items()})
    for run_id in ("a", "b"):  # the second is compared with what was accepted, not with the first
        with pytest.raises(
            FeedBroken, match=r'30.0% .* start a run with "accept_past": true\. See'
        ):
            night(dearer.model_copy(update={"run_id": run_id}))
        listed = clients.s3().list_objects_v2(Bucket=BUCKET, Prefix=f"runs/{run_id}/uk/feed.json")
        assert listed["KeyCount"] == 0
    with pytest.raises(FeedBroken):
        night(dearer, accept_quiet=True)
    night(dearer.model_copy(update={"run_id": "c"}), accept_past=True)
    night(dearer.model_copy(update={"run_id": "d"}))


def test_an_incremental_run_does_not_move_what_is_compared_with(night):
    night(LAST_NIGHT)
    night(feed(SHOP, full=False))
    assert read("feeds/uk/accepted.json")["run_id"] == LAST_NIGHT.run_id


def test_a_run_of_an_earlier_day_does_not_either(night):
    night(LAST_NIGHT)
    night(feed(SHOP, NIGHT - 20 * ONE))
    assert read("feeds/uk/accepted.json")["run_id"] == LAST_NIGHT.run_id


def test_a_source_that_stopped_is_refused_unless_it_was_quiet(night):
    day = NIGHT + 10 * ONE
    stopped = feed(SHOP).model_copy(update={"as_of": day})
    with pytest.raises(
        FeedBroken, match=r'no order for 10 days .*"accept_quiet": true, or "as_of"'
    ):
        night(stopped)
    with pytest.raises(FeedBroken):
        night(stopped, accept_past=True)
    assert night(stopped, accept_quiet=True)["train"]


def test_a_day_that_is_not_over_may_be_empty(night):
    yesterday = feed(SHOP).model_copy(update={"as_of": NIGHT + 3 * ONE})
    monday = NIGHT + 3 * ONE
    assert night(feed(SHOP | {monday - ONE: Day(9, 9, 0, 9.0)}, monday), hour=9)
    with pytest.raises(FeedBroken, match="no order for 3 days"):
        night(yesterday.model_copy(update={"run_id": "late"}))


def test_a_retry_decides_as_before(night):
    first = night(feed(SHOP))
    approve(NIGHT, first["settings"])
    assert night(feed(SHOP)) == first
    assert not night(feed(SHOP, run_id="next"))["train"]


def test_sums_that_are_missing_are_named(aws, context, event):
    with pytest.raises(BadEvent, match=r"runs/night-2011-12-09/uk/days.json is missing"):
        handle(event("judge_feed"), context)


def test_the_runbook_has_the_line_that_an_error_names() -> None:
    page, _, anchor = RUNBOOK.partition("#")
    headings = [
        line.lstrip("# ").lower().replace(" ", "-").replace("`", "")
        for line in (ROOT / page).read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    ]
    assert anchor in headings
