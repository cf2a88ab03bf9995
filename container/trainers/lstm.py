"""Fits the model of container.models.lstm by a likelihood that knows censored gaps."""

from __future__ import annotations
