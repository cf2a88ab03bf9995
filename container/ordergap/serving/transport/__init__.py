"""Connections and HTTP."""
