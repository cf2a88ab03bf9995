"""Law: how a model is made. Serving never imports this room."""
