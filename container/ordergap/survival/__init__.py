"""Survival curves, and the gaps they are estimated from."""
