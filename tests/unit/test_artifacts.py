"""A model saved and loaded, and everything that can be wrong with what was saved."""

from __future__ import annotations

import datetime
import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from ordergap import features
from ordergap.artifacts import Bundle
from ordergap.contract.hyperparameters import Hyperparameters
from ordergap.contract.manifest import MANIFEST, Manifest, TaskSection
from ordergap.contract.orders import DataReport
from ordergap.errors import AlgorithmError, ModelMismatch, ModelNotFound, PlatformError
from ordergap.histories import Histories, day_of
from ordergap.manifests import check, digest, read_manifest
from ordergap.models.base import Snapshot
from ordergap.models.naive import NaiveModel
from ordergap.models.next_order import NextOrderHead
from ordergap.models.population import Population

from tests.trained import head, next_order

DAY = datetime.date(2011, 12, 9)
AS_OF = day_of(DAY)
TASK = "next_order"
FILE = f"{TASK}/{NaiveModel.file_name}"


def naive_model(typical: float = 40.0) -> NaiveModel:
    ratio = np.array([0.5, 1.0, 2.0, 4.0])
    return NaiveModel(np.array([7.0, 30.0, 90.0, 300.0]), typical, ratio, -ratio)


def bundle_of(model: NaiveModel | None = None) -> Bundle:
    model = model or naive_model()
    next_order = NextOrderHead(model, {"1": {"0.8": 0.6}}, Population({7: 0.05, 90: 0.3}))
    section = TaskSection(
        kind=next_order.kind,
        parameters=next_order.parameters,
        feature_names=next_order.feature_names,
        files={name: digest(content) for name, content in model.files().items()},
    )
    manifest = Manifest(
        model_version="0123456789ab",
        tasks={TASK: section},
        hyperparameters=Hyperparameters.model_validate(
            {"horizons": (7, 30), "max_horizon_days": 1000, "lambda": 2}
        ),
        first_day=DAY,
        as_of=DAY,
        data_digest="",
        data=DataReport(
            rows_read=0, rows_used=0, rejected={}, customers=0, orders=0, revenue=0,
            first_day=None, last_day=None,
        ),
        libraries={"numpy": np.__version__},
    )  # fmt: skip
    return Bundle(manifest, {TASK: next_order})


@pytest.fixture
def bundle() -> Bundle:
    return bundle_of()


@pytest.fixture
def saved(tmp_path: Path, bundle: Bundle) -> Path:
    bundle.save(tmp_path / "model", {"metrics.json": b"{}\n"})
    return tmp_path / "model"


@pytest.fixture
def histories() -> Histories:
    """Ana ordered every ten days, Ben once, Cleo rarely and long ago."""
    days = {"ana": [-30, -20, -10, 0], "ben": [-3], "cleo": [-900, -600]}
    owner = np.repeat(np.arange(3), [len(orders) for orders in days.values()])
    day = AS_OF + np.concatenate([*days.values()])
    return Histories.from_orders(list(days), owner, day.astype(np.int32), np.ones(len(day)))


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def altered(saved: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The saved model with a manifest into which somebody wrote."""
    content = json.loads((saved / MANIFEST).read_text())
    change(content)
    (saved / MANIFEST).write_text(json.dumps(content))
    return saved


def sealed(saved: Path, name: str) -> Path:
    """The saved model with a manifest that knows what somebody wrote into a file."""
    its_digest = digest((saved / TASK / name).read_bytes())
    return altered(
        saved, lambda content: content["tasks"][TASK]["files"].update({name: its_digest})
    )


def failing_bundle(error: Exception) -> Bundle:
    model = naive_model(typical=99)
    broken = bundle_of(model)
    vars(model)["files"] = Mock(side_effect=error)
    return broken


def test_a_model_comes_back_as_it_was_saved(
    bundle: Bundle, saved: Path, histories: Histories
) -> None:
    loaded = Bundle.load(saved)
    assert loaded.manifest == bundle.manifest
    assert type(head(loaded).model) is NaiveModel
    before, after = (each.forecast(histories, AS_OF).records() for each in (bundle, loaded))
    assert after == before


def test_a_saved_model_is_its_file_its_manifest_and_what_goes_along(saved: Path) -> None:
    assert set(files(saved)) == {FILE, MANIFEST, "metrics.json"}
    assert (saved / "metrics.json").read_bytes() == b"{}\n"
    names = json.loads((saved / MANIFEST).read_text())["hyperparameters"]
    assert names["trainer"]["lambda"] == 2


def test_a_model_can_be_moved(saved: Path, tmp_path: Path, histories: Histories) -> None:
    moved = Path(shutil.move(saved, tmp_path / "elsewhere"))
    assert len(Bundle.load(moved).forecast(histories, AS_OF)) == 3


def test_saving_again_replaces_the_model(saved: Path, tmp_path: Path) -> None:
    bundle_of(naive_model(typical=77)).save(saved)
    model = head(Bundle.load(saved)).model
    assert isinstance(model, NaiveModel)
    assert model.typical == 77


def test_equal_models_are_saved_as_equal_bytes(saved: Path, tmp_path: Path, bundle: Bundle) -> None:
    bundle.save(tmp_path / "again")
    for name in (FILE, MANIFEST):
        assert (tmp_path / "again" / name).read_bytes() == (saved / name).read_bytes()


def test_every_customer_is_forecast_in_the_sequence_asked(
    bundle: Bundle, histories: Histories
) -> None:
    columns = bundle.forecast(histories, AS_OF).columns
    assert columns["customer_id"] == ["ana", "ben", "cleo"]
    assert columns["order_count"] == [4, 1, 2]
    assert columns["days_since_last_order"] == [0, 3, 600]
    # The curve is exponential in multiples of the customer's mean gap: 10, 40 and 300 days.
    assert columns["typical_gap_days"] == [7, 28, 208]
    assert columns["model_version"] == ["0123456789ab"] * 3


def test_what_a_request_leaves_open_comes_from_the_manifest(
    bundle: Bundle, histories: Histories
) -> None:
    forecasts = next_order(bundle.forecast(histories, AS_OF))
    assert list(forecasts.probability) == [7, 30]
    assert forecasts.interval_level == 0.8


def test_a_request_may_ask_for_other_horizons_and_another_interval(
    bundle: Bundle, histories: Histories
) -> None:
    usual = next_order(bundle.forecast(histories, AS_OF))
    options = replace(bundle.options, horizons=[14], interval_level=0.4)
    asked = next_order(bundle.forecast(histories, AS_OF, options))
    assert list(asked.probability) == [14]
    assert asked.interval_level == 0.4
    assert asked.high[1] - asked.low[1] < usual.high[1] - usual.low[1]
    assert asked.gap.tolist() == usual.gap.tolist()


def test_each_customer_may_have_a_day_of_their_own(bundle: Bundle, histories: Histories) -> None:
    days = AS_OF + np.array([0, 5, 100])
    together = bundle.forecast(histories, days).records()
    for i, day in enumerate(days.tolist()):
        alone = histories.of(np.arange(3) == i)
        assert bundle.forecast(alone, day).records() == [together[i]]


def test_ready_feature_vectors_give_the_same_forecast(bundle: Bundle, histories: Histories) -> None:
    last = histories.last_row
    customers = Snapshot(
        histories.customer_ids,
        np.full(3, AS_OF),
        histories.day[last].astype(np.int64),
        histories.order_count,
        np.array([histories.of(np.arange(3) == i).amount.sum() for i in range(3)]),
    )
    matrix = features.compute(histories, bundle.manifest.feature_names, last)
    ready = bundle.forecast_features(customers, matrix)
    assert ready.records() == bundle.forecast(histories, AS_OF).records()


def test_a_directory_without_a_model_is_named(tmp_path: Path) -> None:
    for nothing in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ModelNotFound, match=rf"no model in {nothing}: .* train one first"):
            Bundle.load(nothing)


def test_a_missing_model_file_is_refused(saved: Path) -> None:
    (saved / FILE).unlink()
    with pytest.raises(ModelMismatch, match=r"model\.json is missing; copy the whole model again"):
        Bundle.load(saved)


@pytest.mark.parametrize("size", [0, 10, -1])
def test_a_truncated_model_file_is_refused(saved: Path, size: int) -> None:
    content = (saved / FILE).read_bytes()
    (saved / FILE).write_bytes(content[:size])
    with pytest.raises(ModelMismatch, match=r"model\.json is damaged or of another model"):
        Bundle.load(saved)


def test_the_file_of_another_model_is_refused(saved: Path) -> None:
    (saved / FILE).write_bytes(naive_model(typical=41).files()["model.json"])
    with pytest.raises(ModelMismatch, match="its checksum is not the manifest's"):
        Bundle.load(saved)


def test_every_file_that_the_manifest_lists_is_checked(saved: Path) -> None:
    altered(saved, lambda content: content["tasks"][TASK]["files"].update({"other.json": "00"}))
    (saved / TASK / "other.json").touch()
    with pytest.raises(ModelMismatch, match=r"other\.json is damaged"):
        Bundle.load(saved)


@pytest.mark.parametrize("schema", [0, 1, "2", None])
def test_a_manifest_of_another_schema_is_refused(saved: Path, schema: object) -> None:
    altered(saved, lambda content: content.update(schema_version=schema, from_the_future=1))
    with pytest.raises(ModelMismatch, match=r"has schema .*, this version reads 3; train again"):
        Bundle.load(saved)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"{}", b"3", b'"schema_version"', b"null", b"\xff\xfe\x00", b"[" * 100_000],
)
def test_a_file_that_is_no_manifest_is_refused(saved: Path, content: bytes) -> None:
    (saved / MANIFEST).write_bytes(content)
    with pytest.raises(ModelMismatch, match=r"manifest\.json is not a manifest; copy"):
        Bundle.load(saved)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda content: content.pop("first_day"), "first_day: Field required"),
        (lambda content: content.update(customers=["17850"]), "customers: Extra inputs"),
        (
            lambda content: content["hyperparameters"]["trainer"].update(eta=5),
            "hyperparameters.trainer.xgboost.eta: ",
        ),
        (
            lambda content: content["tasks"][TASK].update(feature_names=["tenure"]),
            "manifest.json: .*order_count",
        ),
    ],
)
def test_a_manifest_that_breaks_its_contract_is_refused_by_field(
    saved: Path, change: Callable[[dict[str, Any]], object], where: str
) -> None:
    altered(saved, change)
    with pytest.raises(ModelMismatch, match=rf"not a valid manifest \({where}.*\); train again"):
        Bundle.load(saved)


@pytest.mark.parametrize("task", ["../other", "..", "a/b", ""])
def test_saving_over_a_manifest_that_points_elsewhere_removes_nothing_there(
    saved: Path, bundle: Bundle, task: str
) -> None:
    outside = saved.parent / "other" / "model.json"
    outside.parent.mkdir()
    outside.write_text("not of this model")
    altered(saved, lambda content: content["tasks"].update({task: content["tasks"].pop(TASK)}))
    with pytest.raises(ModelMismatch, match="not a valid manifest"):
        Bundle.load(saved)
    bundle.save(saved)
    assert outside.read_text() == "not of this model"
    assert len(Bundle.load(saved).heads) == 1


def test_a_model_of_an_unknown_kind_is_refused(saved: Path) -> None:
    altered(saved, lambda content: content["tasks"][TASK].update(kind="prophet"))
    with pytest.raises(ModelMismatch, match=r"unknown kind, prophet; this version reads .*naive"):
        Bundle.load(saved)


def test_a_manifest_that_does_not_list_the_models_file_is_refused(saved: Path) -> None:
    altered(saved, lambda content: content["tasks"][TASK].update(files={}))
    with pytest.raises(ModelMismatch, match=r"does not list model\.json; train again"):
        Bundle.load(saved)


def test_a_feature_that_this_version_does_not_make_is_refused(saved: Path) -> None:
    altered(
        saved,
        lambda content: content["tasks"][TASK].update(feature_names=["order_count", "moon_phase"]),
    )
    with pytest.raises(ModelMismatch, match=r"does not make, moon_phase; use the version that"):
        Bundle.load(saved)


@pytest.mark.parametrize(
    "names", [["order_count", "tenure"], ["order_count"], ["RollingAvgGap", "order_count"]]
)
def test_features_that_the_model_does_not_read_are_refused(saved: Path, names: list[str]) -> None:
    altered(saved, lambda content: content["tasks"][TASK].update(feature_names=names))
    with pytest.raises(ModelMismatch, match=r"reads order_count, RollingAvgGap, .* other features"):
        Bundle.load(saved)


def test_a_model_file_that_is_no_model_is_refused(saved: Path) -> None:
    (saved / FILE).write_text('{"days": [1]}')
    sealed(saved, "model.json")
    with pytest.raises(ModelMismatch, match="is not a naive model"):
        Bundle.load(saved)


def test_a_model_is_checked_without_being_loaded(saved: Path) -> None:
    assert check(saved) == read_manifest(saved)
    (saved / FILE).unlink()
    with pytest.raises(ModelMismatch, match="is missing"):
        check(saved)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), PlatformError),
        (AlgorithmError("the booster has no trees"), AlgorithmError),
    ],
)
def test_a_save_that_fails_while_writing_leaves_the_old_model(
    saved: Path, tmp_path: Path, error: Exception, raised: type[Exception]
) -> None:
    before = files(saved)
    with pytest.raises(raised):
        failing_bundle(error).save(saved, {"metrics.json": b"new"})
    assert files(saved) == before
    Bundle.load(saved)


def test_a_first_save_that_fails_leaves_nothing(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(PlatformError, match="No space left on device; make room there"):
        failing_bundle(full).save(tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []
    with pytest.raises(ModelNotFound):
        Bundle.load(tmp_path / "model")


def test_a_save_that_fails_between_two_files_leaves_no_model_rather_than_a_mixed_one(
    saved: Path, tmp_path: Path
) -> None:
    (saved / "report.html" / "in the way").mkdir(parents=True)
    new = bundle_of(naive_model(typical=77))
    with pytest.raises(PlatformError):
        new.save(saved, {"report.html": b"<html>"})
    with pytest.raises(ModelNotFound):
        Bundle.load(saved)
    assert not list(saved.glob(".saving-*"))


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        PlatformError, match=rf"cannot be saved in {tmp_path}/file/model: Not a dir"
    ):
        bundle.save(tmp_path / "file" / "model")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_directory_that_is_read_only_is_named(tmp_path: Path, bundle: Bundle) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(PlatformError, match=r"cannot be saved in .*closed: Permission denied"):
        bundle.save(closed)
