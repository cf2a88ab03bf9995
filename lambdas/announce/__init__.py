"""Tell people and machines how the run of a market ended."""
