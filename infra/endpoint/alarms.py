"""The alarms of an endpoint: an update during which one is raised is rolled back by SageMaker."""

from __future__ import annotations

from typing import Any

VARIANT = "AllTraffic"
"""The variant's name, the same in each configuration: the metrics are of it."""
_ALARMS: dict[str, dict[str, Any]] = {
    "errors": {
        "AlarmDescription": "More than 1 % of the requests of a minute ended in a fault.",
        "MetricName": "Invocation5XXErrors",
        "Statistic": "Average",  # of 1 for a request with a fault, and 0 for another
        "Threshold": 0.01,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    },
    "latency": {
        "AlarmDescription": "The model took longer than 5 s for one request in a hundred.",
        "MetricName": "ModelLatency",
        "ExtendedStatistic": "p99",
        "Threshold": 5e6,  # microseconds
        "EvaluationPeriods": 2,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    },
    "silent": {
        "AlarmDescription": "No request reached the model for 3 minutes.",
        "MetricName": "Invocations",
        "Statistic": "Sum",
        "Threshold": 1,
        "EvaluationPeriods": 3,
        "ComparisonOperator": "LessThanThreshold",
        "TreatMissingData": "breaching",
    },
}
_UNANNOUNCED = {"silent"}
"""Only for updates, which send requests: that nobody asks at night is no reason for a message."""


def names(endpoint: str) -> list[str]:
    """The names of an endpoint's alarms."""
    return [f"{endpoint}-{name}" for name in _ALARMS]


def put(cloudwatch: Any, endpoint: str, topic: str, runbook: str) -> None:
    """Make the alarms, or change them to what they should be."""
    for name, settings in _ALARMS.items():
        said = f"{settings['AlarmDescription']} {runbook}#endpoint-{name}"
        cloudwatch.put_metric_alarm(
            **{**settings, "AlarmDescription": said},
            AlarmName=f"{endpoint}-{name}",
            AlarmActions=[] if name in _UNANNOUNCED else [topic],
            Namespace="AWS/SageMaker",
            Dimensions=[
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": VARIANT},
            ],
            Period=60,
        )


def raised(cloudwatch: Any, endpoint: str) -> list[str]:
    """The names of the alarms that are in the state ALARM."""
    found = cloudwatch.describe_alarms(AlarmNames=names(endpoint))["MetricAlarms"]
    return [each["AlarmName"] for each in found if each["StateValue"] == "ALARM"]


def trip(cloudwatch: Any, endpoint: str, reason: str) -> None:
    """Raise the alarm on errors, so that SageMaker rolls an update back."""
    cloudwatch.set_alarm_state(
        AlarmName=f"{endpoint}-errors", StateValue="ALARM", StateReason=reason[:1023]
    )


def delete(cloudwatch: Any, endpoint: str) -> int:
    """Delete the alarms; how many there were."""
    found = cloudwatch.describe_alarms(AlarmNames=names(endpoint))["MetricAlarms"]
    if found:
        cloudwatch.delete_alarms(AlarmNames=[each["AlarmName"] for each in found])
    return len(found)
