"""What the server shows of itself: the page at /, the model's report, the OpenAPI document."""
