"""Which errors of AWS's SDK pass by themselves."""

from __future__ import annotations

import re

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

_CONNECTION = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
)
# Throttling and clashes that services answer with a status below 500. The last three words are for
# answers without a status, as of a broken connection.
_CODES = re.compile(
    "Throttl|TooManyRequests|(Request|Bandwidth)LimitExceeded|^LimitExceededException$"
    "|ThroughputExceeded|TransactionInProgress|SlowDown"
    "|RequestTimeout|PriorRequestNotComplete|ConditionalRequestConflict"
    "|InternalError|InternalServ|ServiceUnavailable"
)
_STATUSES = {429, 500, 502, 503, 504}


def is_transient(error: BotoCoreError | ClientError) -> bool:
    """Whether the same call may succeed later: a fault of the service, throttling, no connection.

    botocore has the same rules for its own few retries, and no public name for them.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status in _STATUSES or bool(_CODES.search(error.response["Error"]["Code"]))
    return isinstance(error, _CONNECTION)
