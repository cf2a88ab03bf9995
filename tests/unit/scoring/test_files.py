"""A file of forecasts appears complete or not at all, whatever the size of the batches."""

import json
from pathlib import Path

import numpy as np
import pytest
from ordergap import ingest
from ordergap.artifacts import Bundle
from ordergap.contract.orders import Columns
from ordergap.errors import DataError
from ordergap.histories import Histories
from ordergap.scoring import files
from ordergap.scoring.options import Options

AS_OF = 15_317  # 2011-12-09
HEADER = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"


def test_batches_hold_the_same_customers() -> None:
    owner = np.repeat(np.arange(8), [1, 4, 2, 1, 1, 3, 2, 5])
    day = np.arange(len(owner), dtype=np.int32)
    whole = Histories.from_orders(list("abcdefgh"), owner, day, day.astype(float) + 1)
    parts = list(whole.batches(3))
    assert [part.customer_ids for part in parts] == [list("abc"), list("def"), list("gh")]
    assert [part.order_count.tolist() for part in parts] == [[1, 4, 2], [1, 1, 3], [2, 5]]
    assert np.concatenate([part.day for part in parts]).tolist() == day.tolist()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    rows = (f"{i},85123A,2,2011-11-{1 + i % 28:02},2.5,c{i % 50}\n" for i in range(400))
    path.write_text(HEADER + "".join(rows))
    return path


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_the_size_of_the_batches_does_not_show(
    bundle: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    options = Options(AS_OF)
    counts = files.predict_file(bundle, source, tmp_path / name, options)
    whole = (tmp_path / name).read_bytes()
    assert whole.count(b"\n") == 50 + (name == "out.csv")
    assert counts.total() == 50
    monkeypatch.setattr(files, "BATCH", 7)
    assert files.predict_file(bundle, source, tmp_path / name, options) == counts
    assert (tmp_path / name).read_bytes() == whole


def test_a_failure_half_way_leaves_the_file_of_before(
    bundle: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("before")
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(files, "BATCH", 20)
    forecast = Bundle.forecast

    def fails_later(self: Bundle, histories: Histories, *words: object) -> object:
        if histories.customer_ids[0] > "c3":
            raise MemoryError
        return forecast(self, histories, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Bundle, "forecast", fails_later)
    with pytest.raises(MemoryError):
        files.predict_file(bundle, source, output, Options())
    assert (output.read_text(), sorted(tmp_path.iterdir())) == ("before", before)


def test_the_file_is_read_with_the_columns_the_model_was_trained_with(
    bundle: Bundle, source: Path, tmp_path: Path
) -> None:
    source.write_text(source.read_text().replace("CustomerID", "client"))
    with pytest.raises(DataError, match="CustomerID"):
        files.predict_file(bundle, source, tmp_path / "out.csv", Options())
    columns = Columns(customer_column="client")
    renamed = bundle.manifest.hyperparameters.model_copy(update={"columns": columns})
    manifest = bundle.manifest.model_copy(update={"hyperparameters": renamed})
    files.predict_file(Bundle(manifest, bundle.heads), source, tmp_path / "out.csv", Options())


def test_forecasts_of_a_file_are_those_of_the_server(
    bundle: Bundle, source: Path, tmp_path: Path
) -> None:
    files.predict_file(bundle, source, tmp_path / "out.jsonl", Options(AS_OF))
    cleaned = ingest.read(source, bundle.manifest.hyperparameters.columns)
    expected = bundle.forecast(cleaned.histories, AS_OF).records()
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert told == json.loads(json.dumps(expected))
