from ordergap.contract.metrics import Metric
from ordergap.report.tables import metrics_table, quality_table

METRICS = {
    "error": Metric(title="error", unit="days", digits=1, better="lower", meaning=""),
    "hits": Metric(title="hits", unit="share", digits=2, better="higher", meaning=""),
    "held": Metric(title="held", unit="share", digits=3, meaning=""),
}


def test_metrics_are_written_by_their_definitions() -> None:
    models: dict[str, dict[str, float | None]] = {
        "model": {"error": 3.04, "hits": 0.404, "held": 0.8, "rows": 1200.0},
        "naive": {"error": None, "hits": 0.396},
        "other": {"error": float("nan"), "hits": 0.1, "held": 0.9},
    }
    table = metrics_table("t", models, METRICS)
    assert table.head == ["", "Error, days", "Hits", "Held", "Rows"]
    assert table.rows == [
        ["Model", "3.0", "40\u00a0%", "80.0\u00a0%", "1,200"],
        ["Naive", "–", "40\u00a0%", "–", "–"],
        ["Other", "–", "10\u00a0%", "90.0\u00a0%", "–"],
    ]
    assert table.strong == {(0, 2), (1, 2)}
    assert metrics_table("t", models, METRICS, best=False).strong == set()


def test_a_table_says_where_its_protocol_is_capped() -> None:
    assert quality_table("at order", 60, {}, METRICS).title == "At order, capped at 60 days"
    for cap in (None, float("nan")):
        assert quality_table("at order", cap, {}, METRICS).title == "At order"
