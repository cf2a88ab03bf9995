"""The emulator's HTTP handler: keeps connections open, and takes a short cut for writes.

Storing forecasts takes a small request for each customer. Moto's own handler closes the connection
after every request and routes each through its web application: 200 writes a second on a laptop,
with this one four times as many.
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
# Parameters that the short cut does not support.
UNSUPPORTED = {
    "Expected",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",
    "ReturnValues",
    "ReturnValuesOnConditionCheckFailure",
}


class Handler(MotoRequestHandler):
    """Reads the whole request, responds with Content-Length, and keeps the connection open."""

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
        if self.headers.get("X-Amz-Target") == WRITE and self._put_item(json.loads(body)):
            return
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        response: list[bytes] = []
        status, headers = "", [("", "")]

        def start(
            new_status: str, new_headers: list[tuple[str, str]], _: object = None, /
        ) -> Callable[[bytes], None]:
            nonlocal status, headers
            status, headers = new_status, new_headers
            return response.append

        response.extend(self.server.app(environ, start))
        self._respond(status, headers, b"".join(response))

    def _put_item(self, request: dict[str, Any]) -> bool:
        """Handle a PutItem; returns false where it has parameters that are not supported."""
        if UNSUPPORTED & request.keys():
            return False
        backend: DynamoDBBackend = dynamodb_backends[ACCOUNT][REGION]
        condition = request.get("ConditionExpression")
        status, response = "200 OK", b"{}"
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
            status, response = "400 Bad Request", str(error.description).encode()
        self._respond(status, [("Content-Type", "application/x-amz-json-1.0")], response)
        return True

    def _respond(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
