"""How the emulator answers requests: connections stay open, and writes go a short way.

Storing forecasts is one small request for each customer. Moto's own handler closes the connection
after every request, and takes each through the whole of its web application: on one laptop 200
writes a second, here four times that.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler
from typing_extensions import override

from local.aws import ACCOUNT, REGION

WRITE = "DynamoDB_20120810.PutItem"
# What the short way does not know.
LONG_WAY = {
    "Expected",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
}


class Handler(MotoRequestHandler):
    """Reads a request to its end, answers with a length, and waits for the next."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    @override
    def run_wsgi(self) -> None:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()
        environ = self.make_environ()
        chunked = environ.pop("wsgi.input_terminated", False)
        length = -1 if chunked else int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if self.headers.get("X-Amz-Target") == WRITE and self._written(json.loads(body)):
            return
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        answer: list[bytes] = []
        status, headers = "", [("", "")]

        def start(
            given: str, more: list[tuple[str, str]], _: object = None, /
        ) -> Callable[[bytes], None]:
            nonlocal status, headers
            status, headers = given, more
            return answer.append

        answer.extend(self.server.app(environ, start))
        self._answer(status, headers, b"".join(answer))

    def _written(self, request: dict[str, Any]) -> bool:
        """Write the item, unless that takes more than the short way knows."""
        if LONG_WAY & request.keys():
            return False
        backend: DynamoDBBackend = dynamodb_backends[ACCOUNT][REGION]
        condition = request.get("ConditionExpression")
        status, answer = "200 OK", b"{}"
        try:
            backend.put_item(
                request["TableName"],
                request["Item"],
                None,
                condition,
                request.get("ExpressionAttributeNames"),
                request.get("ExpressionAttributeValues"),
                condition is None,
            )
        except JsonRESTError as error:
            status, answer = "400 Bad Request", str(error.description).encode()
        self._answer(status, [("Content-Type", "application/x-amz-json-1.0")], answer)
        return True

    def _answer(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, words = status.partition(" ")
        self.send_response_only(int(code), words)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
