"""Requests and answers as bytes: JSON, JSON Lines, CSV."""
