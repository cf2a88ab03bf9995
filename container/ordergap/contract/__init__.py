"""The data that crosses the edges of the product: requests, answers, settings, manifest, metrics.

It imports the standard library and pydantic only, so that a Lambda or a test can import it.
"""
