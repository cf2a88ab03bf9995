"""Forecasts of many customers, as records and as files."""
