"""Connections and HTTP: a gunicorn worker that runs the application.

See docs/decisions/serving.md#threads-never-wait-for-clients and
docs/decisions/serving.md#workers-share-out-connections.
"""
