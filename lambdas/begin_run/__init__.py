"""Begin a run: check its input, and refuse a second run of a market."""
