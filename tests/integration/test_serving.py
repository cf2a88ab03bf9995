"""The commands as a platform runs them: a job, then a real gunicorn, as processes of their own."""

import contextlib
import csv
import datetime
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from container.artifacts import Bundle
from container.histories import day_of
from container.serving import codecs
from container.serving.predictor import predict

AS_OF = datetime.date(2011, 12, 9)
HEADER = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"]


def order_lines(customers: int) -> Iterator[list[Any]]:
    dice = random.Random(3)  # noqa: S311
    for customer in range(customers):
        rhythm = dice.randrange(5, 60)
        day = AS_OF - datetime.timedelta(dice.randrange(250, 400))
        while (day := day + datetime.timedelta(dice.randrange(1, 2 * rhythm))) <= AS_OF:
            yield [dice.random(), "85123A", dice.randrange(1, 9), day, "1.25", customer]


def command(*words: object, **environment: object) -> dict[str, Any]:
    """How to start `python -m container`, for subprocess."""
    told = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    told |= {name: str(value) for name, value in environment.items()}
    return {"args": [sys.executable, "-m", "container", *map(str, words)], "env": told}


@pytest.fixture(scope="module")
def opt_ml(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/opt/ml after a training job."""
    place = tmp_path_factory.mktemp("opt_ml")
    channel, config = place / "input/data/training", place / "input/config"
    channel.mkdir(parents=True)
    config.mkdir()
    with (channel / "orders.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *order_lines(150)])
    (config / "hyperparameters.json").write_text('{"num_round": "30"}')
    job = command("train", "--opt_ml", place)
    done = subprocess.run(**job, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def bundle(opt_ml: Path) -> Bundle:
    return Bundle.load(opt_ml / "model")


@dataclass
class Server:
    """A server process and what to ask it."""

    process: subprocess.Popen[str]
    port: int

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, str, bytes]:
        with contextlib.closing(self.connect()) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return response.status, response.headers["Content-Type"], response.read()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def score(self, body: str | bytes, form: str, accept: str = "application/json") -> bytes:
        status, told, answer = self.ask(
            "POST", "/invocations", body, Content_Type=form, Accept=accept
        )
        assert (status, told) == (200, accept), answer
        return answer

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def wait_for_ping(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/ping")[0] == 200:
                    return
            time.sleep(0.02)
        pytest.fail(f"no green /ping: {self.process.communicate(timeout=5)}")

    def stop(self) -> int:
        """The exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


Serve = Callable[..., Server]


@pytest.fixture(scope="module")
def serve(root: Path) -> Iterator[Serve]:
    started = []

    def serve(opt_ml: Path, **environment: object) -> Server:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        told = {"SAGEMAKER_BIND_TO_PORT": port, "SAGEMAKER_MODEL_SERVER_WORKERS": 2} | environment
        process = subprocess.Popen(
            **command("serve", "--opt_ml", opt_ml, **told),
            cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return Server(process, port)

    yield serve
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(serve: Serve, opt_ml: Path) -> Server:
    """One server for the tests that only ask."""
    running = serve(opt_ml)
    running.wait_for_ping()
    return running


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    """The customers of the file, as scoring records."""
    found: dict[str, dict[str, Any]] = {}
    for _, _, items, day, price, customer in order_lines(40):
        record = found.setdefault(
            str(customer), {"customer_id": str(customer), "orders": [], "as_of": str(AS_OF)}
        )
        order = {"date": str(day), "amount": items * float(price), "items": items, "lines": 1}
        record["orders"].append(order)
    return list(found.values())


def lines(records: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def test_the_server_says_what_the_model_says_in_every_form(
    server: Server, bundle: Bundle, records: list[dict[str, Any]]
) -> None:
    asked = codecs.decode(lines(records), codecs.JSON_LINES, bundle.manifest, day_of(AS_OF))
    expected = codecs.json(predict(bundle, asked))
    assert server.score(json.dumps({"instances": records}), "application/json") == expected
    assert server.score(lines(records), "application/jsonlines") == expected
    table = "\n".join(",".join(map(str, row)) for row in [HEADER, *order_lines(40)])
    assert server.score(table, f"text/csv; as_of={AS_OF}") == expected
    singles = [server.score(json.dumps(r), "application/json", "text/csv") for r in records]
    assert b"".join(singles) == server.score(lines(records), "application/jsonlines", "text/csv")


def test_no_customers_are_no_predictions(server: Server) -> None:
    assert json.loads(server.score("[]", "application/json"))["predictions"] == []


def test_a_body_may_come_in_chunks_of_unknown_length(
    server: Server, records: list[dict[str, Any]]
) -> None:
    with contextlib.closing(server.connect()) as connection:
        parts = (line + b"\n" for line in lines(records).splitlines())
        headers = {"Content-Type": "application/jsonlines"}
        connection.request("POST", "/invocations", parts, headers, encode_chunked=True)
        assert connection.getresponse().read().count(b"\n") == len(records)


def test_predict_writes_what_the_server_answers(
    root: Path, server: Server, opt_ml: Path, tmp_path: Path
) -> None:
    orders, output = opt_ml / "input/data/training/orders.csv", tmp_path / "out.csv"
    words = ("--file_path", orders, "--output", output, "--as-of", AS_OF)
    job = command("predict", "--opt_ml", opt_ml, *words)
    subprocess.run(**job, cwd=root, check=True, stdout=subprocess.DEVNULL)
    answer = server.score(
        orders.read_bytes(), f"text/csv; as_of={AS_OF}", "text/csv; header=present"
    )
    written = output.read_bytes().splitlines()
    assert written[0] == answer.splitlines()[0]
    assert sorted(written) == sorted(answer.splitlines())


def test_a_worker_that_dies_is_replaced(serve: Serve, opt_ml: Path) -> None:
    server = serve(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS=1)
    server.wait_for_ping()
    (before,) = server.workers()
    os.kill(before, signal.SIGKILL)
    server.wait_for_ping()
    assert before not in server.workers()


def test_sigterm_lets_requests_end_and_exits_with_0(
    serve: Serve, opt_ml: Path, records: list[dict[str, Any]]
) -> None:
    """Half of the request is there when the signal comes."""
    server = serve(opt_ml)
    server.wait_for_ping()
    body = lines(records)
    with contextlib.closing(server.connect()) as connection:
        connection.putrequest("POST", "/invocations")
        connection.putheader("Content-Type", "application/jsonlines")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[: len(body) // 2])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(ConnectionError):
            server.ask("GET", "/ping")
        connection.send(body[len(body) // 2 :])
        response = connection.getresponse()
        assert (response.status, response.read().count(b"\n")) == (200, len(records))
    assert server.process.wait(timeout=10) == 0


def test_workers_answer_though_libraries_were_told_to_use_threads(
    serve: Serve, opt_ml: Path, server: Server, records: list[dict[str, Any]]
) -> None:
    """Threads of a library that was started before the fork would be missing after it."""
    threaded = serve(opt_ml, OMP_NUM_THREADS=4, OMP_WAIT_POLICY="ACTIVE")
    threaded.wait_for_ping()
    form = "application/jsonlines"
    assert threaded.score(lines(records), form) == server.score(lines(records), form)


def test_the_model_folder_is_left_as_it_is(
    serve: Serve, opt_ml: Path, records: list[dict[str, Any]]
) -> None:
    model = opt_ml / "model"
    before = {path: path.stat().st_mtime_ns for path in [model, *model.rglob("*")]}
    server = serve(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS=1)
    server.wait_for_ping()
    server.score(lines(records), "application/jsonlines")
    assert server.stop() == 0
    assert before == {path: path.stat().st_mtime_ns for path in [model, *model.rglob("*")]}


def damaged(opt_ml: Path, place: Path, how: str) -> Path:
    """A copy of the model that is not whole."""
    (place / "model").mkdir()
    for path in (opt_ml / "model").iterdir():
        (place / "model" / path.name).write_bytes(path.read_bytes())
    if how == "missing":
        (place / "model/manifest.json").unlink()
    elif how == "corrupt":
        (place / "model/model.ubj").write_bytes(b"no trees")
    else:
        (place / "model/manifest.json").write_text("{}")
    return place


@pytest.mark.parametrize("how", ["missing", "corrupt", "no manifest"])
def test_a_model_that_cannot_be_served_ends_the_process_with_one_line(
    serve: Serve, opt_ml: Path, tmp_path: Path, how: str
) -> None:
    server = serve(damaged(opt_ml, tmp_path, how))
    _, said = server.process.communicate(timeout=15)
    assert server.process.returncode == 1
    (line,) = said.splitlines()
    assert line.startswith("UserError: ")
    assert str(tmp_path) in line


def test_a_setting_that_is_wrong_ends_the_process_with_one_line(serve: Serve, opt_ml: Path) -> None:
    server = serve(opt_ml, ORDERGAP_THREADS="many", SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="x")
    _, said = server.process.communicate(timeout=15)
    assert (server.process.returncode, said.count("\n")) == (1, 1)
    assert "ORDERGAP_THREADS = 'many'" in said
    assert "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT = 'x'" in said
