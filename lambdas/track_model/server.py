"""The calls of MLflow's REST API that mirroring a model takes.

Source: MLflow documentation, "REST API". See docs/decisions/lambdas.md#mlflow-by-its-rest-api.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from lambdas.shared.errors import NotTracked

_ABSENT, _PRESENT = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"
_MOST = 4 * 2**20  # bytes of an answer
_PROXIED = "mlflow-artifacts:"


class Answer(dict[str, Any]):
    """An object of JSON that the server answered with; NotTracked where a field is missing."""

    def __missing__(self, key: str) -> Any:
        raise NotTracked(f"the server does not answer as MLflow does: there is no {key}")


class MlflowError(NotTracked):
    """The server refused; `code` is MLflow's name of the error, empty where it has none."""

    def __init__(self, message: str, code: str) -> None:
        self.code = code
        super().__init__(message)


class Server:
    """An MLflow server.

    uri      its address, http://HOST:PORT or https://HOST
    headers  sent with each request, such as Authorization
    seconds  without a byte after which a request is given up
    budget   seconds for all requests together
    """

    def __init__(
        self,
        uri: str,
        headers: Mapping[str, str] | None = None,
        seconds: float = 10,
        budget: float = 90,
    ) -> None:
        parts = urlsplit(uri)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise NotTracked(
                "the address of the MLflow server must be http://HOST:PORT or https://HOST, "
                "without a user or password"
            )
        self._uri, self._headers = uri.rstrip("/"), dict(headers or {})
        self._pool = urllib3.PoolManager(timeout=seconds, retries=False)
        self._until = time.monotonic() + budget

    def get(self, path: str, **query: str) -> Answer:
        """Ask for something. Raises NotTracked, as the others do; MlflowError where refused."""
        return self._api("GET", f"{path}?{urlencode(query)}", None)

    def post(self, path: str, **body: object) -> Answer:
        """Ask for something to be done."""
        return self._api("POST", path, body)

    def ensure(self, find: Callable[[], Answer], path: str, **body: object) -> Answer:
        """What `find` finds; made first where it is missing, by whoever is first."""
        try:
            return find()
        except MlflowError as error:
            if error.code != _ABSENT:
                raise
        try:
            self.post(path, **body)
        except MlflowError as error:
            if error.code != _PRESENT:
                raise
        return find()

    def upload(self, folder: str, name: str, content: bytes) -> None:
        """Write a file below `folder`, the URI of artefacts that lie behind the server."""
        if not folder.startswith(_PROXIED):
            raise NotTracked(
                f"the MLflow server keeps artefacts at {folder}, not behind itself: start it with "
                "--artifacts-destination, and without --default-artifact-root"
            )
        path = quote(f"{urlsplit(folder).path.strip('/')}/{name}")
        self._request("PUT", f"mlflow-artifacts/artifacts/{path}", content, "application/binary")

    def _api(self, method: str, path: str, body: object) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        text = self._request(method, f"mlflow/{path}", content, "application/json")
        try:
            answer = json.loads(text, object_hook=Answer)
        except ValueError:
            answer = None
        if not isinstance(answer, Answer):
            raise NotTracked(f"{self._uri} does not answer as MLflow does: {text[:80]!r}")
        return answer

    def _request(self, method: str, path: str, content: bytes | None, kind: str) -> bytes:
        place = f"{method} {self._uri}/{path.partition('?')[0]}"
        headers = {"Content-Type": kind, **self._headers}
        text = b""
        try:
            self._check_time(place)
            answer = self._pool.request(
                method, f"{self._uri}/api/2.0/{path}", body=content, headers=headers,
                redirect=False, preload_content=False)  # fmt: skip
            with answer:
                while chunk := answer.read1(1 << 16):  # what is there: a slow one is seen as such
                    text += chunk
                    self._check_time(place)
                    if len(text) > _MOST:
                        raise NotTracked(f"{place} answers with more than {_MOST:,} bytes")
        except (HTTPError, OSError) as error:
            raise NotTracked(f"{place} failed: {error}") from error
        if answer.status != 200:
            code, message = _problem(text)
            raise MlflowError(f"{place} answers {answer.status} {code}: {message}", code)
        return text

    def _check_time(self, place: str) -> None:
        if time.monotonic() > self._until:
            raise NotTracked(f"{place} was not done in time: the MLflow server is slow")


def _problem(text: bytes) -> tuple[str, str]:
    """MLflow's name of an error and its message; the beginning of a text that is not MLflow's."""
    try:
        answer = json.loads(text)
        return str(answer["error_code"]), str(answer.get("message", ""))[:500]
    except (ValueError, KeyError, TypeError):
        return "", text[:80].decode(errors="replace")


def authorization(user: str = "", password: str = "", token: str = "") -> dict[str, str]:
    """The header of a token, or of a user's name and password; none of neither."""
    if token:
        return {"Authorization": f"Bearer {token}"}
    if user:
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}
