"""Rules and dashboard, checked by promtool; a Prometheus that scrapes a server.

Both are skipped where they are not installed: Debian's package `prometheus` has them.
"""

import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.links import anchors
from tests.served import Server, free_port

FOLDER = Path(__file__).parents[2] / "infra/monitoring"
RULES = (FOLDER / "rules.yaml").read_text()
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
NAME = re.compile(r"\bordergap_\w+")
OF_A_CGROUP = {"ordergap_memory_bytes", "ordergap_memory_limit_bytes"}
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is missing")


def promtool(*words: object, text: str | None = None) -> tuple[int, str]:
    """The exit code and all that it says."""
    done = subprocess.run(
        ["promtool", *map(str, words)], input=text, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def queries() -> list[str]:
    """Every query of the dashboard, with the variables that Grafana fills in."""
    targets = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]
    variables = {"$job": "ordergap", "$__rate_interval": "5m"}
    return [re.sub(r"\$\w+", lambda name: variables[name[0]], each["expr"]) for each in targets]


def as_rules(queries: list[str]) -> str:
    """A file of rules, in JSON, which is YAML."""
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(queries)]
    return json.dumps({"groups": [{"name": "dashboard", "rules": rules}]})


@needs_promtool
def test_the_rules_pass_their_tests() -> None:
    status, said = promtool("test", "rules", FOLDER / "rules_test.yaml")
    assert status == 0, said
    alerts = set(re.findall(r"alert: (\w+)", RULES))
    fired = re.findall(r"alertname: (\w+)\n +exp_alerts", (FOLDER / "rules_test.yaml").read_text())
    assert len(alerts) == 9
    assert alerts == {*fired}, "each fires in a test"


@needs_promtool
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("> 0.01", "> 0.05"),
        ("== 0 or absent", "== 0 and absent"),
        ("> 35", "> 34"),
        ("- ordergap_model_age_days > 2", "- ordergap_model_age_days > 3"),
        ('status!="503"', 'status!="200"'),
        (">= 1000", ">= 100"),
        ("> max by (job, version, feature)", "> 2 * max by (job, version, feature)"),
        ("- ordergap:reference_share)\n", "+ ordergap:reference_share)\n"),
        ("(count by (job, version, feature) (ordergap:reference_orders) - 1)", "0"),
    ],
)
def test_a_wrong_rule_fails_them(tmp_path: Path, right: str, wrong: str) -> None:
    assert RULES.count(right) == 1
    (tmp_path / "rules.yaml").write_text(RULES.replace(right, wrong))
    shutil.copy(FOLDER / "rules_test.yaml", tmp_path)
    status, said = promtool("test", "rules", tmp_path / "rules_test.yaml")
    assert status != 0
    assert "FAILED" in said


def test_every_alert_links_to_its_line_of_the_runbook(root: Path) -> None:
    lines = anchors((root / "docs/operations.md").read_text())
    for alert, rule in zip(
        re.findall(r"alert: (\w+)", RULES), RULES.split("- alert: ")[1:], strict=True
    ):
        assert f"runbook_url: docs/operations.md#{alert.lower()}\n" in rule
        assert alert.lower() in lines


@needs_promtool
def test_every_query_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    (file := tmp_path / "dashboard.yaml").write_text(as_rules(queries()))
    status, said = promtool("check", "rules", file)
    assert status == 0, said
    assert f"{len(queries())} rules found" in said
    file.write_text(as_rules(["sum(rate(up[5m])"]))
    status, said = promtool("check", "rules", file)
    assert status != 0
    assert "unclosed left parenthesis" in said


def test_the_dashboard_is_what_its_code_writes(root: Path) -> None:
    python = root / ".venv-tools/bin/python"
    if not python.exists():
        pytest.skip("grafana-foundation-sdk is missing: make .venv-tools/ready")
    code = "import dashboard; print(dashboard.text(), end='')"
    done = subprocess.run(
        [python, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=True
    )
    assert (FOLDER / "dashboard.json").read_text() == done.stdout


def test_queries_of_a_panel_have_names_of_their_own() -> None:
    for panel in DASHBOARD["panels"]:
        names = [target["refId"] for target in panel["targets"]]
        assert all(names)
        assert len({*names}) == len(names)


@pytest.fixture
def prometheus(tmp_path: Path, server: Server) -> Iterator[str]:
    """The address of a Prometheus with the shipped configuration, which scrapes the server."""
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is missing")
    config = (FOLDER / "prometheus.yaml").read_text()
    (tmp_path / "rules.yaml").write_text(RULES.replace("interval: 5m", "interval: 200ms"))
    for right, here in (
        ("localhost:8080", f"127.0.0.1:{server.port}"),
        ("15s", "200ms"),
        ("[rules.yaml]", f"[{tmp_path}/rules.yaml]"),
    ):
        assert right in config
        config = config.replace(right, here)
    (tmp_path / "prometheus.yaml").write_text(config)
    port = free_port()
    process = subprocess.Popen(
        [
            "prometheus", f"--config.file={tmp_path}/prometheus.yaml",
            f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield f"http://127.0.0.1:{port}/api/v1/"
    process.kill()
    process.wait()


def ask(address: str) -> Any:
    """The data of an answer of Prometheus; None while it does not answer."""
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310
        return json.load(answer)["data"]
    return None


def result(prometheus: str, query: str) -> list[Any]:
    data = ask(f"{prometheus}query?query={urllib.parse.quote(query)}")
    return list(data["result"]) if data else []


def wait_for(prometheus: str, query: str) -> list[Any]:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := result(prometheus, query):
            return found
        time.sleep(0.1)
    pytest.fail(f"Prometheus has nothing for {query}")


def test_a_prometheus_scrapes_a_server(
    prometheus: str, server: Server, records: list[dict[str, Any]]
) -> None:
    wait_for(prometheus, "ordergap_served_orders_total")
    server.score(json.dumps(records * 40), "application/json")  # of whom 1,000 ordered lately
    wait_for(prometheus, f"ordergap_records_total{{job='ordergap'}} >= {40 * len(records)}")
    assert result(prometheus, "up{job='ordergap'}")[0]["value"][1] == "1"
    # What rules and dashboard ask for is there under that name, on this machine or any other.
    asked = NAME.findall(RULES + " ".join(queries()))
    scraped = {*ask(f"{prometheus}label/__name__/values")}
    assert {*asked} - OF_A_CGROUP <= scraped
    for query in queries():
        if not OF_A_CGROUP & {*NAME.findall(query)}:
            assert wait_for(prometheus, query)
    groups = ask(f"{prometheus}rules")["groups"]
    assert [len(group["rules"]) for group in groups] == [8, 6]
    # The model is of 2011.
    wait_for(prometheus, "ALERTS{alertname='OrdergapModelOld', alertstate='pending'}")


@needs_promtool
def test_the_example_of_a_configuration_is_one() -> None:
    status, said = promtool("check", "config", FOLDER / "prometheus.yaml")
    assert status == 0, said
