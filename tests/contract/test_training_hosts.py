"""Several hosts train one model: two processes, each with an /opt/ml of its own."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from ordergap.contract.hyperparameters import parse
from ordergap.contract.metrics import EvaluationProtocol
from ordergap.errors import OrdergapError, UserError
from ordergap.histories import Histories, date_of
from ordergap.hosts import Hosts as Connected
from ordergap.hosts import cluster
from ordergap.hosts.cluster import connected
from ordergap.sagemaker import command
from ordergap.sagemaker.opt_ml import OptMl
from ordergap.settings import JobSettings
from ordergap.stopping import Stopped

from tests.shop import shop, write_csv
from tests.trained import scores, train
from tests.training_platform import Platform

ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = "127.0.0.1", "127.0.0.2"
SOME = shop(160, 240)
QUICK: dict[str, object] = {
    "num_round": 24, "eta": 0.3, "time_bins": 8, "outlier_contamination": 0, "epochs": 4,
    "hidden_size": 8, "batch_size": 128, "sequence_length": 4, "learning_rate": 0.01,
    "value": "off", "large_orders": "off",
}  # fmt: skip
KINDS: dict[str, dict[str, object]] = {
    "hazard": {"value": "on", "large_orders": "on"},
    "aft": {"objective": "aft"},
    "squared-error": {"objective": "squared-error"},
    "forest": {
        "trainer": "random-forest", "num_round": 5,
        "hashed_columns": "StockCode", "hash_buckets": 4,
    },
    "lstm": {"trainer": "lstm"},
}  # fmt: skip
NAIVE = {"trainer": "naive", "value": "off", "large_orders": "off"}
ENDLESS: dict[str, object] = {"num_round": 5000, "early_stopping_rounds": 0, "epochs": 5000}


@dataclass
class Hosts:
    """Hosts that run one job, each as a process in a folder of its own."""

    folder: Path
    names: tuple[str, ...] = (FIRST, SECOND)
    seconds: float = 60
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    port: int = 0
    program: tuple[str, ...] = ("-m", "ordergap")

    def __post_init__(self) -> None:
        with socket.create_server((FIRST, 0)) as free:
            self.port = free.getsockname()[1]
        for name in self.names:
            (self.folder / name / "input" / "config").mkdir(parents=True)
            self[name].channel()
            self[name].config("resourceconfig", {"current_host": name, "hosts": self.names})

    def __getitem__(self, name: str) -> Platform:
        return Platform(self.folder / name)

    def give(self, name: str, orders: Histories, channel: str = "training") -> None:
        write_csv(orders, self[name].channel(channel) / "orders.csv")

    def start(self, name: str, settings: dict[str, object]) -> None:
        words = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
        command = [sys.executable, *self.program, "train", *words]
        environment = os.environ | {
            "ORDERGAP_HOSTS_PORT": str(self.port),
            "ORDERGAP_HOSTS_SECONDS": str(self.seconds),
            "ORDERGAP_CHECKPOINT_SECONDS": "0",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        with (self.folder / name / "output.log").open("wb") as file:
            self.running[name] = subprocess.Popen(
                [*command, "--opt_ml", str(self.folder / name)],
                cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def checkpoints(self) -> Path:
        """Where the first host keeps them, as the others do not."""
        for name in self.names:
            (self.folder / name / "checkpoints").mkdir()
        return self.folder / FIRST / "checkpoints"

    def run(self, settings: dict[str, object]) -> list[int]:
        for name in self.names:
            self.start(name, settings)
        return self.codes()

    def codes(self, within: float = 120) -> list[int]:
        """The exit codes, once all have ended."""
        end = time.monotonic() + within
        return [self.running[name].wait(end - time.monotonic()) for name in self.names]

    def output(self, name: str) -> str:
        return (self.folder / name / "output.log").read_text(errors="replace")

    def until(self, now: Callable[[], bool], within: float = 60) -> None:
        end = time.monotonic() + within
        while not now():
            assert time.monotonic() < end, "\n".join(map(self.output, self.names))
            time.sleep(0.01)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Two hosts, the first with a third of the customers."""
    made = Hosts(tmp_path / "hosts")
    thirds = np.arange(len(SOME.customer_ids)) % 3 == 0
    made.give(FIRST, SOME.of(thirds))
    made.give(SECOND, SOME.of(~thirds))
    yield made
    for process in made.running.values():
        process.kill()
        process.wait()


def alone(folder: Path, settings: dict[str, object]) -> dict[str, bytes]:
    """The model that one host makes of the same orders."""
    source = write_csv(SOME, folder / "orders.csv")
    train(parse(settings), source, folder / "alone")
    paths = (path for path in (folder / "alone").rglob("*") if path.is_file())
    return {str(path.relative_to(folder / "alone")): path.read_bytes() for path in paths}


def version(output: str) -> str:
    return output.rpartition("\nModel ")[2].partition(" ")[0]


@pytest.mark.point(26)
@pytest.mark.point(31)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", KINDS)
def test_two_hosts_make_one_model_as_good_as_one_host_does(
    kind: str, hosts: Hosts, tmp_path: Path
) -> None:
    settings = QUICK | KINDS[kind] | {"subsample": 1, "colsample_bytree": 1}
    assert hosts.run(settings) == [0, 0], hosts.output(FIRST) + hosts.output(SECOND)
    model = hosts[FIRST].manifest
    # The version is a digest of the booster's or network's bytes, and of the metrics.
    assert version(hosts.output(FIRST)) == version(hosts.output(SECOND)) == model.model_version
    assert not (hosts[SECOND].root / "model").exists()
    assert not hosts[SECOND].files("output")
    assert set(hosts[FIRST].files("output/data")) == {"metrics.json", "report.html"}
    assert "validation:" not in hosts.output(SECOND)
    assert hosts[FIRST].failure is hosts[SECOND].failure is None
    unshared = json.loads(alone(tmp_path, settings)["manifest.json"])
    assert model.data_digest == unshared["data_digest"]
    days = unshared["tasks"]["next_order"]["parameters"]["days"]
    assert model.tasks["next_order"].parameters["days"] == days
    for protocol in EvaluationProtocol:
        one, two = (
            scores(metrics, protocol)
            for metrics in (unshared["metrics"], model.model_dump()["metrics"])
        )
        assert two["brier_30"] == pytest.approx(one["brier_30"], abs=0.02)
        assert two["concordance"] == pytest.approx(one["concordance"], abs=0.04)


@pytest.mark.timeout(120)
def test_hosts_that_boost_from_pages_make_the_model_of_those_that_hold_their_rows(
    hosts: Hosts,
) -> None:
    held_or_paged = []
    for block in (1 << 16, 400):
        program = f"from ordergap.trainers import rows; rows.BLOCK = {block}; "
        hosts.program = (
            "-c",
            f"{program}from ordergap.cli.main import main; import sys; exit(main(sys.argv[1:]))",
        )
        assert hosts.run(QUICK) == [0, 0], hosts.output(FIRST) + hosts.output(SECOND)
        held_or_paged.append(hosts[FIRST].files())
    assert held_or_paged[0] == held_or_paged[1]


@pytest.mark.point(30)
@pytest.mark.timeout(120)
def test_hosts_without_data_and_late_ones_take_part_and_naive_is_that_of_one_host(
    tmp_path: Path,
) -> None:
    hosts = Hosts(tmp_path / "hosts", (FIRST, SECOND, "127.0.0.3"))
    few = np.arange(len(SOME.customer_ids)) < 30
    hosts.give(SECOND, SOME.of(few))
    hosts.give("127.0.0.3", SOME.of(~few))
    settings = QUICK | NAIVE
    for name in reversed(hosts.names):
        hosts.start(name, settings)
        time.sleep(1)
    assert hosts.codes() == [0, 0, 0]
    made, unshared = hosts[FIRST], alone(tmp_path, settings)
    assert made.files()["next_order/model.json"] == unshared["next_order/model.json"]
    assert made.files()["metrics.json"] == unshared["metrics.json"]
    assert made.manifest.data.rows_read == len(SOME)
    assert "a host had no data files" in made.manifest.data.notes


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("kind", "killed"), [("hazard", SECOND), ("hazard", FIRST), ("lstm", SECOND)]
)
def test_where_a_host_is_killed_the_other_fails_soon_and_names_it(
    kind: str, killed: str, hosts: Hosts
) -> None:
    kept = hosts.checkpoints()
    for name in hosts.names:
        hosts.start(name, QUICK | KINDS[kind] | ENDLESS)
    hosts.until(lambda: any(kept.glob("checkpoint-*2")))  # some steps are done
    hosts.running[killed].kill()
    (other,) = set(hosts.names) - {killed}
    begun = time.monotonic()
    assert hosts.running[other].wait(60) == 1
    assert time.monotonic() - begun < 40
    failure = hosts[other].failure
    assert failure
    assert failure.startswith(f"PlatformError: host {killed} was lost")
    assert not (hosts[FIRST].root / "model").exists()


@pytest.mark.point(41)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["hazard", "lstm"])
def test_killed_hosts_go_on_from_the_first_ones_checkpoints(
    kind: str, hosts: Hosts, tmp_path: Path
) -> None:
    settings = QUICK | KINDS[kind] | {"epochs": 2}
    assert hosts.run(settings) == [0, 0]
    unbroken = hosts[FIRST].files()
    kept = hosts.checkpoints()
    for name in hosts.names:
        hosts.start(name, settings)
    hosts.until(lambda: any(kept.glob("checkpoint-??????")))
    for process in hosts.running.values():
        process.kill()
        process.wait()
    assert hosts.run(settings) == [0, 0]
    assert "resuming from" in hosts.output(FIRST)
    assert "resuming from" in hosts.output(SECOND)
    assert {**hosts[FIRST].files(), "report.html": b""} == {**unbroken, "report.html": b""}
    assert not hosts[SECOND].files("checkpoints")


@pytest.mark.point(36)
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("kind", "some_steps"), [("hazard", "round 100"), ("lstm", "epoch 5")])
def test_sigterm_to_one_host_stops_all_with_the_best_model(
    kind: str, some_steps: str, hosts: Hosts
) -> None:
    for name in hosts.names:
        hosts.start(name, QUICK | KINDS[kind] | ENDLESS)
    hosts.until(lambda: some_steps in hosts.output(FIRST))
    hosts.running[SECOND].send_signal(signal.SIGTERM)
    assert hosts.codes(30) == [0, 0], hosts.output(FIRST) + hosts.output(SECOND)
    assert hosts[FIRST].manifest.metrics["stopped_early"]
    assert "validation:next_order:at_order:brier_30=" in hosts.output(FIRST)
    assert not (hosts[SECOND].root / "model").exists()


def refusals(hosts: Hosts, **settings: Mapping[str, str]) -> list[str]:
    """How the job ends on each host, run side by side in this process."""

    def end(name: str) -> str:
        environment = JobSettings(hosts_port=hosts.port, hosts_seconds=hosts.seconds)
        own = {**NAIVE, **settings.get(f"on_{name[-1]}", {})}
        root = hosts.folder / name
        try:
            command.train(
                OptMl(root),
                environment,
                own,
                None,
                root / "model",
                None,
                lambda: False,
            )
        except OrdergapError as error:
            return f"{error.kind}: {error}"
        return "no refusal"

    with ThreadPoolExecutor() as pool:
        return list(pool.map(end, hosts.names))


def test_customers_with_orders_on_several_hosts_are_refused(hosts: Hosts) -> None:
    hosts.give(SECOND, SOME.of(np.arange(len(SOME.customer_ids)) % 3 < 2).until(19_900))
    (one, two) = refusals(hosts)
    assert one == two
    assert "customers have orders on several hosts, such as customer-0" in one
    assert f"on {FIRST} and {SECOND}" in one
    assert "set the channel's S3DataDistributionType to ShardedByS3Key" in one


def test_the_same_data_on_every_host_are_refused(hosts: Hosts) -> None:
    for name in hosts.names:
        hosts.give(name, SOME)
    one, two = refusals(hosts)
    assert one == two
    assert one == (
        f"UserError: hosts {FIRST} and {SECOND} have the same transactions: set the channel's "
        "S3DataDistributionType to ShardedByS3Key, with all lines of a customer in files of one "
        "host"
    )


@pytest.mark.point(30)
def test_no_data_on_any_host_are_refused(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path / "hosts")
    one, two = refusals(hosts)
    assert one == two
    assert one.startswith("UserError: 2 hosts have no rows: put CSV")


def test_an_error_on_one_host_is_the_error_of_all(hosts: Hosts) -> None:
    (hosts[SECOND].channel() / "orders.csv").write_bytes(b"PK\x03\x04\0\0")
    one, two = refusals(hosts)
    assert two.startswith("UserError: orders.csv cannot be read: File is not a zip file")
    assert one == two.replace("UserError: ", f"UserError: host {SECOND} failed: ")


def test_different_hyperparameters_are_refused(hosts: Hosts) -> None:
    one, two = refusals(hosts, on_2={"seed": "7"})
    assert one == two
    assert "different hyperparameters" in one


def test_a_host_that_is_not_among_the_hosts_is_refused(hosts: Hosts) -> None:
    hosts[FIRST].config("resourceconfig", {"current_host": "x", "hosts": hosts.names})
    hosts.names = (FIRST,)
    (reason,) = refusals(hosts)
    assert reason.startswith(f"UserError: this host, x, is none of {FIRST}, {SECOND}; correct")


def test_dates_are_read_on_all_hosts_as_one_of_them_shows(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path / "hosts")
    head = "CustomerID,InvoiceDate,Quantity,UnitPrice\n"
    days = {FIRST: ["1/2/2024", "3/4/2024"], SECOND: ["2/1/2024", "13/2/2024", "20/3/2024"]}
    for name, dates in days.items():
        lines = [f"{name[-1]},{date},1,5\n" for date in dates]
        (hosts[name].channel() / "orders.csv").write_text(head + "".join(lines))
    assert refusals(hosts) == ["no refusal"] * 2
    made = hosts[FIRST].manifest
    assert (str(made.first_day), str(made.as_of)) == ("2024-01-02", "2024-04-03")
    assert made.hyperparameters.columns.date_format is None
    assert made.data.conventions.date_order == "day-first"
    (hosts[FIRST].channel() / "orders.csv").write_text(head + "1,1/2/2024,1,5\n1,3/14/2024,1,5\n")
    one, two = refusals(hosts)
    assert one == two
    assert "Set date_format" in one
    assert "3/14/2024" in one


def test_validation_may_lie_on_one_host_alone(hosts: Hosts) -> None:
    cutoff = int(np.quantile(SOME.day, 0.8))
    thirds = np.arange(len(SOME.customer_ids)) % 3 == 0
    hosts.give(FIRST, SOME.of(thirds).until(cutoff))
    hosts.give(SECOND, SOME.of(~thirds).until(cutoff))
    hosts.give(SECOND, SOME.keep(SOME.day > cutoff), "validation")
    assert refusals(hosts) == ["no refusal"] * 2
    assert hosts[FIRST].manifest.metrics["validated_after"] == str(date_of(cutoff))


@pytest.mark.point(27)
def test_a_name_that_never_resolves_and_a_host_that_never_connects_are_errors(hosts: Hosts) -> None:
    hosts.seconds = 1
    hosts.names = (FIRST,)
    (reason,) = refusals(hosts)
    assert reason.startswith(f"PlatformError: {SECOND} of 2 hosts did not connect within 1 seconds")
    hosts.names = (SECOND,)
    (reason,) = refusals(hosts)
    assert reason.startswith(f"PlatformError: host {FIRST} ({FIRST}:{hosts.port}) did not answer")
    unknown = {"current_host": "algo-2", "hosts": ["algo-1.invalid", "algo-2"]}
    hosts[SECOND].config("resourceconfig", unknown)
    (reason,) = refusals(hosts)
    assert reason.startswith("PlatformError: the name of host algo-1.invalid could not be resolved")


@pytest.mark.point(27)
def test_a_name_may_resolve_late(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up, calls = socket.getaddrinfo, []

    def late(name: str, *rest: object) -> object:
        calls.append(name)
        if len(calls) < 5:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", late)
    assert refusals(hosts) == ["no refusal"] * 2


def run_connected(
    hosts: Hosts, *jobs: Callable[[Connected], object], give_up: Callable[..., object] = id
) -> list[object]:
    """What each host's job returns or raises."""

    def run(name: str, job: Callable[[Connected], object]) -> object:
        try:
            with connected(
                hosts.names, name, hosts.port, hosts.seconds, give_up=give_up
            ) as members:
                return job(members)
        except OrdergapError as error:
            return error

    with ThreadPoolExecutor() as pool:
        return list(pool.map(run, hosts.names, jobs))


def test_hosts_gather_and_add_up_alike(tmp_path: Path) -> None:
    hosts = Hosts(tmp_path / "hosts", (FIRST, SECOND, "127.0.0.3"))

    def work(members: Connected) -> object:
        large = bytes([members.rank]) * 3_000_000
        numbers = np.array([[0.1, members.rank], [1e20, -1e20 * members.rank]])
        rows = np.arange(10)[members.part].astype(np.float32)
        return (
            [len(each) for each in members.gather(large)],
            [each[:1] for each in members.gather(large)],
            members.gather(b"")[0],
            members.sum(numbers).tobytes(),
            float(members.sum(rows.sum(keepdims=True))[0]),
            members.any(members.rank == 1),
            members.any(answer=False),
        )

    first, second, third = run_connected(hosts, work, work, work)
    assert first == second == third
    assert first == (
        [3_000_000] * 3, [b"\0", b"\1", b"\2"], b"", first[3], 45.0, True, False  # type: ignore[index]
    )  # fmt: skip


def test_a_silent_host_is_lost(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a machine or the network fails, and the connection stays open."""
    monkeypatch.setattr(cluster, "HEARTBEAT_TIMEOUT", 2)
    gone = threading.Event()

    def silent(members: Connected) -> object:
        members._closing.set()  # type: ignore[attr-defined]
        gone.wait(30)
        return None

    def waiting(members: Connected) -> object:
        try:
            return members.gather(b"")
        finally:
            gone.set()

    begun = time.monotonic()
    reason, _ = run_connected(hosts, waiting, silent)
    assert str(reason) == (f"host {SECOND} was lost: no heartbeat for 2 seconds; run the job again")
    assert time.monotonic() - begun < 20


def test_a_step_that_goes_on_long_after_a_host_is_lost_is_given_up(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where XGBoost waits for a host."""
    monkeypatch.setattr(cluster, "_STEP_TIMEOUT", 0.1)
    reasons: queue.Queue[OrdergapError] = queue.Queue()

    def lost(members: Connected) -> object:
        raise UserError("no orders")

    def waiting(members: Connected) -> object:
        return reasons.get(timeout=30)

    _, reason = run_connected(hosts, lost, waiting, give_up=reasons.put)
    assert str(reason) == f"host {FIRST} failed: no orders"


def test_connections_that_are_not_the_hosts_are_closed(hosts: Hosts) -> None:
    strange = (
        b"GET / HTTP/1.1\r\n\r\n", b'["heartbeat", "algo-9"]', b'["x"]', b"[1, 2]", b"7"
    )  # fmt: skip

    def connect_strangers() -> None:
        for content in strange:
            with socket.create_connection((FIRST, hosts.port)) as connection:
                connection.sendall(content)

    def first() -> object:
        with connected(hosts.names, FIRST, hosts.port, 60) as members:
            return members.gather(b"0")

    def second() -> object:
        with connected(hosts.names, SECOND, hosts.port, 60) as members:
            return members.gather(b"1")

    with ThreadPoolExecutor() as pool:
        one = pool.submit(first)
        time.sleep(0.5)
        connect_strangers()
        two = pool.submit(second)
        assert one.result(60) == two.result(60) == [b"0", b"1"]


def test_a_host_that_is_stopped_waits_no_longer(hosts: Hosts) -> None:
    with (
        pytest.raises(Stopped, match="waiting for the other hosts"),
        connected((FIRST, SECOND), FIRST, hosts.port, 60, lambda: True),
    ):
        pass
