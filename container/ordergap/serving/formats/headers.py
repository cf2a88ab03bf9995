"""Names and limits of the headers beside Content-Type and Accept."""

from __future__ import annotations

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
ATTRIBUTES_LIMIT = 1024
"""Characters; the platform lets through no more."""
ATTRIBUTES_PATTERN = r"^[\x20-\x7e]*$"
"""Visible US-ASCII characters and spaces, as the platform requires."""

INFERENCE_ID = "X-Amzn-SageMaker-Inference-Id"
INFERENCE_ID_LIMIT = 64

REQUEST_ID = "X-Request-Id"
