"""Whether an execution of the state machine runs."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

LONGEST = datetime.timedelta(days=1)
"""The state machine's own timeout."""


def runs(states: SFNClient, execution_arn: str, written: datetime.datetime) -> bool:
    """Whether the execution, which wrote at `written` that it runs, does so or may do so."""
    try:
        return states.describe_execution(executionArn=execution_arn)["status"] == "RUNNING"
    except states.exceptions.ExecutionDoesNotExist:
        # DescribeExecution may not know yet what has just begun, and no longer what is long over.
        return datetime.datetime.now(datetime.UTC) - written < LONGEST
