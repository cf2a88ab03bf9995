"""Connections and HTTP: a gunicorn worker that runs the application."""
