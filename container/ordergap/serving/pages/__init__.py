"""What the server shows of itself: a page, the report, OpenAPI."""
