"""Requests and answers as bytes: JSON, JSON Lines and CSV; errors as JSON with a status."""
