"""Announce how the run of a market ended."""
