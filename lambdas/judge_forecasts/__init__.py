"""Judge what became of stored forecasts: flags for training, events, metrics and a sentence."""
