"""Connections and HTTP: a gunicorn worker that runs the application.

worker      accepts connections, starts and ends
connection  one request after the other, within limits of time and memory
exchange    one request and its answer, by h11

See docs/decisions/serving.md#one-parser-reads-every-byte-once,
docs/decisions/serving.md#threads-never-wait-for-clients and
docs/decisions/serving.md#workers-share-out-connections.
"""
