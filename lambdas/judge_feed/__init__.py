"""Judge the orders that a run has extracted, and decide whether it trains."""
