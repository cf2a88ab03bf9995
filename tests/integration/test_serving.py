"""The commands as a platform runs them: a job, then a real gunicorn, as processes of their own."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ordergap.artifacts import Bundle
from ordergap.forecaster import Forecaster
from ordergap.histories import day_of
from ordergap.scoring import encoders
from ordergap.serving.formats import codecs
from ordergap.serving.formats.question import predict

from tests.served import AS_OF, HEADER, LINES, Server, command, lines, order_lines

Serve = Callable[..., Server]


@pytest.mark.point(50, 56, 64)
def test_the_server_says_what_the_model_says_in_every_form(
    server: Server, bundle: Bundle, records: list[dict[str, Any]]
) -> None:
    question = codecs.decode(lines(records), encoders.JSON_LINES, bundle.manifest, day_of(AS_OF))
    expected = encoders.json(predict(Forecaster(bundle), question))
    assert server.score(json.dumps({"instances": records}), "application/json") == expected
    assert server.score(lines(records), "application/jsonlines") == expected
    table = "\n".join(",".join(map(str, row)) for row in [HEADER, *order_lines(40)])
    assert server.score(table, f"text/csv; as_of={AS_OF}") == expected
    singles = [server.score(json.dumps(r), "application/json", "text/csv") for r in records]
    assert b"".join(singles) == server.score(lines(records), "application/jsonlines", "text/csv")


def test_no_customers_are_no_predictions(server: Server) -> None:
    assert json.loads(server.score("[]", "application/json"))["predictions"] == []


@pytest.mark.point(60)
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
    off = ("--value_horizons", "off", "--large_thresholds", "off")  # a request has not asked
    words = ("--file_path", orders, "--output", output, "--as-of", AS_OF, *off)
    job = command("predict", "--opt_ml", opt_ml, *words)
    subprocess.run(**job, cwd=root, check=True, stdout=subprocess.DEVNULL)
    answer = server.score(
        orders.read_bytes(), f"text/csv; as_of={AS_OF}", "text/csv; header=present"
    )
    written = output.read_bytes().splitlines()
    assert written[0] == answer.splitlines()[0]
    assert sorted(written) == sorted(answer.splitlines())


@pytest.mark.point(49)
def test_a_worker_that_dies_is_replaced(serve: Serve, opt_ml: Path) -> None:
    server = serve(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS=1)
    server.wait_for_ping()
    (before,) = server.workers()
    os.kill(before, signal.SIGKILL)
    server.wait_for_ping()
    assert before not in server.workers()


@pytest.mark.point(53)
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


@pytest.mark.point(63)
def test_workers_answer_though_libraries_were_told_to_use_threads(
    serve: Serve, opt_ml: Path, server: Server, records: list[dict[str, Any]]
) -> None:
    """Threads of a library that was started before the fork would be missing after it."""
    threaded = serve(opt_ml, OMP_NUM_THREADS=4, OMP_WAIT_POLICY="ACTIVE")
    threaded.wait_for_ping()
    assert threaded.score(lines(records), LINES) == server.score(lines(records), LINES)


@pytest.mark.point(52)
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
    shutil.copytree(opt_ml / "model", place / "model")
    if how == "missing":
        (place / "model/manifest.json").unlink()
    elif how == "corrupt":
        (place / "model/next_order/model.ubj").write_bytes(b"no trees")
    else:
        (place / "model/manifest.json").write_text("{}")
    return place


@pytest.mark.point(49)
@pytest.mark.parametrize("how", ["missing", "corrupt", "no manifest"])
def test_a_model_that_cannot_be_served_ends_the_process_with_one_line(
    serve: Serve, opt_ml: Path, tmp_path: Path, how: str
) -> None:
    server = serve(damaged(opt_ml, tmp_path, how))
    log = server.read_log()
    assert server.process.returncode == 1
    (line,) = log.splitlines()
    assert line.startswith("UserError: ")
    assert str(tmp_path) in line


def test_a_setting_that_is_wrong_ends_the_process_with_one_line(serve: Serve, opt_ml: Path) -> None:
    server = serve(opt_ml, ORDERGAP_THREADS="many", SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="x")
    log = server.read_log()
    assert (server.process.returncode, log.count("\n")) == (1, 1)
    assert "ORDERGAP_THREADS = 'many'" in log
    assert "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT = 'x'" in log


def test_a_default_form_that_cannot_be_given_ends_the_process_with_one_line(
    serve: Serve, opt_ml: Path
) -> None:
    server = serve(opt_ml, SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT="image/png")
    log = server.read_log()
    assert (server.process.returncode, log.count("\n")) == (1, 1)
    assert "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT = 'image/png' is not one of" in log


@pytest.mark.point(55)
def test_what_the_sdk_accepts_by_default_gets_the_form_of_the_request(
    server: Server, records: list[dict[str, Any]]
) -> None:
    status, form, answer = server.ask(
        "POST", "/invocations", lines(records), Content_Type=LINES, Accept="*/*"
    )
    assert (status, form, answer.count(b"\n")) == (200, LINES, len(records))


@pytest.mark.point(57)
@pytest.mark.parametrize("head", [b"GET /ping HTTP/1.1\r\n%s: 1", b"%s /ping HTTP/1.1", b"%s"])
def test_a_malformed_request_gets_a_small_answer(server: Server, head: bytes) -> None:
    with server.open_socket(head % (4000 * b'"\xe9') + b"\r\n\r\n") as client:
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            _, _, body = answer.read().partition(b"\r\n\r\n")
    assert len(body) < 2048
    assert json.loads(body)["error"]["message"].startswith("the HTTP request is malformed: ")


def listening(server: Server) -> list[str]:
    """The local addresses, as the kernel writes them, on which the server's processes listen."""
    inodes = set()
    for pid in [server.process.pid, *server.workers()]:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                inodes |= set(re.findall(r"socket:\[(\d+)\]", str(link.readlink())))
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]


@pytest.mark.point(46)
def test_one_port_is_listened_on_at_every_address(serve: Serve, opt_ml: Path) -> None:
    server = serve(opt_ml, SAGEMAKER_SAFE_PORT_RANGE="9000-9010")
    server.wait_for_ping()
    assert listening(server) == [f"00000000:{server.port:04X}"]


@pytest.mark.point(46)
def test_a_port_that_is_taken_ends_the_process_with_one_line(serve: Serve, opt_ml: Path) -> None:
    with socket.create_server(("", 0)) as taken:
        server = serve(opt_ml, SAGEMAKER_BIND_TO_PORT=taken.getsockname()[1])
        log = server.read_log()
    assert (server.process.returncode, log.count("\n")) == (1, 1)
    assert log.startswith(f"PlatformError: cannot listen on port {server.port}: address al")


@pytest.mark.point(47, 48)
def test_ping_is_not_answered_before_there_is_a_model_and_soon_after_the_start(
    serve: Serve, opt_ml: Path
) -> None:
    start = time.monotonic()
    server = serve(opt_ml, SAGEMAKER_MODEL_SERVER_WORKERS=1)
    server.wait_for_ping()
    assert time.monotonic() - start < 20
    # The very first green ping is followed by a forecast, not by a model that is still missing.
    assert server.ask("POST", "/invocations", "[]", Content_Type="application/json")[0] == 200


@pytest.mark.point(51)
def test_unknown_headers_are_ignored(server: Server, records: list[dict[str, Any]]) -> None:
    headers = {
        "X_Amzn_SageMaker_Session_Id": "NEW_SESSION",
        "X_Amzn_SageMaker_Target_Model": "other.tar.gz",
        "X_Amzn_SageMaker_Target_Variant": "two",
        "X_Forwarded_For": "10.0.0.1",
        "Cookie": "a=b",
        "Content_Type": LINES,
    }
    assert server.ask("POST", "/invocations", lines(records), **headers)[0] == 200


@pytest.mark.point(62)
def test_an_answer_comes_in_one_piece(server: Server, records: list[dict[str, Any]]) -> None:
    with contextlib.closing(server.connect()) as connection:
        connection.request("POST", "/invocations", lines(records), {"Content-Type": LINES})
        response = connection.getresponse()
        assert int(response.headers["Content-Length"]) == len(response.read())


@pytest.mark.point(67)
def test_the_same_request_gets_the_same_answer(
    server: Server, records: list[dict[str, Any]]
) -> None:
    assert len({server.score(lines(records), LINES, "text/csv") for _ in range(6)}) == 1


@pytest.mark.parametrize("form", [LINES, "text/csv", "application/json"])
@pytest.mark.point(66, 70, 72)
def test_in_batch_transform_an_answer_ends_with_one_newline(
    batch: Server, records: list[dict[str, Any]], form: str
) -> None:
    for body in (lines(records), lines(records).rstrip(), lines(records).replace(b"\n", b"\r\n")):
        answer = batch.score(body, LINES, form)
        assert answer.endswith(b"\n")
        assert not answer.endswith(b"\n\n")
        assert form == "application/json" or answer.count(b"\n") == len(records)


@pytest.mark.point(59)
def test_in_batch_transform_the_largest_request_is_the_largest_payload(batch: Server) -> None:
    status, _, answer = batch.ask("POST", "/invocations", b" " * ((1 << 20) + 1))
    assert (status, "SAGEMAKER_MAX_PAYLOAD_IN_MB" in json.loads(answer)["error"]["hint"]) == (
        413,
        True,
    )


@pytest.fixture(scope="module")
def batch(serve: Serve, opt_ml: Path) -> Server:
    server = serve(opt_ml, SAGEMAKER_BATCH="True", SAGEMAKER_MAX_PAYLOAD_IN_MB=1)
    server.wait_for_ping()
    return server
