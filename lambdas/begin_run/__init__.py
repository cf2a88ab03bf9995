"""Begin a run: check its input, and refuse it beside another run."""
