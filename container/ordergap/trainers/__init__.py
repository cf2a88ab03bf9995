"""How models are made. Serving does not import this."""
