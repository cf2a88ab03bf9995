"""Decide whether the new model replaces the one in use."""
