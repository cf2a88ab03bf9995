"""JSON Schemas of requests and answers around the contract's models."""

from __future__ import annotations

from typing import Any

from ordergap.serving.formats.context import ON_BAD_RECORD, REQUEST_OPTIONS

Json = dict[str, Any]


def ref(name: str, kind: str = "schemas") -> Json:
    """A reference to the component of this name."""
    return {"$ref": f"#/components/{kind}/{name}"}


STRING: Json = {"type": "string"}
WORD_OR_NULL: Json = {"type": ["string", "null"]}
PROBLEM: Json = {
    "type": "object",
    "required": ["message", "record", "field", "hint"],
    "properties": {
        "message": STRING,
        "record": {"type": ["integer", "null"], "description": "The record's position, from 0."},
        "field": {**WORD_OR_NULL, "description": "The path in the record: orders[2].date."},
        "hint": WORD_OR_NULL,
    },
}
RECORD: Json = {"anyOf": [ref("ScoringRecord"), ref("LeadRecord")]}
SCHEMAS: Json = {
    "Question": {
        "anyOf": [
            ref("ScoringRequest"),
            {"type": "array", "items": RECORD},
            {
                "allOf": [RECORD],
                "properties": {
                    name: {"$ref": f"#/components/schemas/ScoringRequest/properties/{name}"}
                    for name in REQUEST_OPTIONS
                },
            },
        ]
    },
    "Forecasts": {
        "type": "object",
        "required": ["predictions", "model_version"],
        "properties": {
            "predictions": {
                "type": "array",
                "items": {"anyOf": [ref("Prediction"), ref("LeadPrediction"), ref("Placeholder")]},
            },
            "model_version": STRING,
        },
        "additionalProperties": False,
    },
    "Placeholder": {
        "type": "object",
        "description": f"For a record that cannot be answered, with {ON_BAD_RECORD}=placeholder: "
        "the fields of a prediction, null where they depend on the orders.",
        "required": ["customer_id", "error"],
        "properties": {
            "customer_id": WORD_OR_NULL,
            "error": {**STRING, "description": "Why it cannot be answered."},
        },
    },
    "Problem": PROBLEM,
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {
                    "type": {**STRING, "description": "The kind of error."},
                    **PROBLEM["properties"],
                    "problems": {
                        "type": "array",
                        "items": ref("Problem"),
                        "description": "The first problems; the first is also in `error` itself.",
                    },
                    "more": {
                        "type": "integer",
                        "minimum": 0,
                        "description": "How many problems were found besides.",
                    },
                    "id": {**STRING, "description": "Finds the cause in the server's log."},
                },
            }
        },
        "additionalProperties": False,
    },
    "ExecutionParameters": {
        "type": "object",
        "required": ["MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"],
        "properties": {
            "MaxConcurrentTransforms": {"type": "integer", "minimum": 1},
            "BatchStrategy": {"enum": ["MULTI_RECORD", "SINGLE_RECORD"]},
            "MaxPayloadInMB": {"type": "integer", "minimum": 0},
        },
        "additionalProperties": False,
    },
}
