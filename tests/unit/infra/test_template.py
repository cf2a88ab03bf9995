"""infra/template.yaml, compared with the code that runs on it."""

import ast
import datetime
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ordergap.contract.prediction import Status, ValueFields
from ordergap.contract.tasks import TASKS, TaskEntry, prediction_model

from docs.links import anchors
from infra import package
from lambdas.store_predictions import items
from tests.stack import FUNCTIONS, RESOURCES, ROOT, TEMPLATE


def of_type(kind: str) -> dict[str, Any]:
    return {name: each for name, each in RESOURCES.items() if each["Type"] == kind}


def test_cfn_lint_finds_nothing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "infra/template.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_the_variables_that_it_reads_and_no_others(function: str) -> None:
    read = {
        str(node.value)
        for path in package.modules(ROOT, function)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and re.fullmatch(r"ORDERGAP_\w+", str(node.value))
    }
    variables = RESOURCES[FUNCTIONS[function]]["Properties"]["Environment"]["Variables"]
    logging = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
    assert set(variables) == read | logging
    assert variables["POWERTOOLS_SERVICE_NAME"] == function


def test_every_function_is_deployed_with_its_zip_and_handler() -> None:

    assert set(FUNCTIONS.values()) == set(of_type("AWS::Lambda::Function"))
    for function, name in FUNCTIONS.items():
        properties = RESOURCES[name]["Properties"]
        assert properties["Code"] == f"../dist/{function}.zip"
        assert properties["Handler"] == f"lambdas.{function}.handler.handle"
        assert properties["Runtime"] == f"python{sys.version_info.major}.{sys.version_info.minor}"
        assert properties["Architectures"] == ["x86_64"]
        assert properties["TracingConfig"] == {"Mode": "Active"}
        assert properties["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Logs"}}


def test_every_log_expires() -> None:
    groups = of_type("AWS::Logs::LogGroup")
    assert len(groups) == len(FUNCTIONS) + 1
    assert all(
        each["Properties"]["RetentionInDays"] == {"Ref": "LogDays"} for each in groups.values()
    )


def test_the_keys_of_the_table_are_attributes_that_the_code_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(TASKS, "value", TaskEntry(None, "", "", ValueFields))
    day = datetime.date(2011, 12, 9)
    prediction = prediction_model(TASKS, everything=True)(
        customer_id="17850",
        as_of=day,
        last_order_date=day,
        days_since_last_order=0,
        order_count=3,
        usual_amount=20.5,
        revenue=61.5,
        order_gap_days=7,
        next_order_date=day + datetime.timedelta(7),
        next_order_date_low=day,
        next_order_date_high=day,
        interval_level=0.8,
        typical_gap_days=7,
        buy_probability={"30": 0.5},
        expected_value={"30": 12.5},
        status=Status.OVERDUE,
        model_age_days=0,
        stale=False,
        model_version="1",
    )
    started = datetime.datetime(2011, 12, 10, tzinfo=datetime.UTC)
    stamp = items.Stamp("night", started, "uk", day, 1_700_000_000, 8)
    item = items.item(prediction, stamp, "0")
    table = RESOURCES["Predictions"]["Properties"]
    indexes = {each["IndexName"]: each for each in table["GlobalSecondaryIndexes"]}
    assert {name: _keys(index) for name, index in indexes.items()} == {
        "by_week": ["week_bucket", "next_order_date"],
        "by_probability": ["market", "soon_probability"],
        "by_risk": ["market", "yearly_revenue_at_risk"],
        "by_value": ["market", "soon_value"],
    }
    assert _keys(table) == ["customer_id", "market"]
    assert all(each["Projection"] == {"ProjectionType": "ALL"} for each in indexes.values())
    for each in table["AttributeDefinitions"]:
        assert item[each["AttributeName"]].keys() == {each["AttributeType"]}
    stale = table["TimeToLiveSpecification"]
    assert stale == {"AttributeName": "expires_at", "Enabled": True}
    assert item["expires_at"].keys() == {"N"}


def _keys(place: dict[str, Any]) -> list[str]:
    """The partition key and the sort key of a table or an index."""
    assert [each["KeyType"] for each in place["KeySchema"]] == ["HASH", "RANGE"]
    return [each["AttributeName"] for each in place["KeySchema"]]


def test_throttled_writes_of_the_table_and_of_each_index_count_for_the_alarm_and_are_shown() -> (
    None
):
    table = RESOURCES["Predictions"]["Properties"]
    indexes = {each["IndexName"] for each in table["GlobalSecondaryIndexes"]}
    total, *metrics = RESOURCES["TableThrottled"]["Properties"]["Metrics"]
    assert total["Expression"] == "SUM(METRICS())"
    dimensions = [each["MetricStat"]["Metric"]["Dimensions"] for each in metrics]
    assert all(each[0]["Name"] == "TableName" for each in dimensions)
    assert {each[1]["Value"] for each in dimensions if len(each) > 1} == indexes
    assert len(dimensions) == len(indexes) + 1
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    for index in indexes:
        assert body.count(f'"{index}"') == 2


def test_the_table_can_be_recovered() -> None:
    table = RESOURCES["Predictions"]["Properties"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}


@pytest.mark.parametrize("name", ["Bucket", "Predictions"])
def test_resources_with_data_outlive_the_stack_but_not_a_create_that_is_rolled_back(
    name: str,
) -> None:
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"
    # A rollback cannot delete a protected table; deploy.sh protects it when the stack is whole.
    assert "DeletionProtectionEnabled" not in RESOURCES[name]["Properties"]


def test_writes_to_the_table_and_to_each_index_have_a_ceiling() -> None:
    table = RESOURCES["Predictions"]["Properties"]
    for place in (table, *table["GlobalSecondaryIndexes"]):
        assert place["OnDemandThroughput"] == {"MaxWriteRequestUnits": {"Ref": "MaxWriteUnits"}}


def test_the_budget_and_too_many_runs_are_announced() -> None:
    budget = RESOURCES["Budget"]
    assert budget["Condition"] == "HasBudget"
    off = {"Fn::Not": [{"Fn::Equals": [{"Ref": "MonthlyBudget"}, "0"]}]}
    assert TEMPLATE["Conditions"]["HasBudget"] == off
    limit = budget["Properties"]["Budget"]["BudgetLimit"]
    assert limit == {"Amount": {"Ref": "MonthlyBudget"}, "Unit": "USD"}
    for each in budget["Properties"]["NotificationsWithSubscribers"]:
        assert each["Subscribers"] == [{"SubscriptionType": "SNS", "Address": {"Ref": "Topic"}}]
    alarm = RESOURCES["ManyRuns"]["Properties"]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("ExecutionsStarted", "Sum")
    assert (alarm["Period"], alarm["Threshold"]) == (24 * 60 * 60, {"Ref": "RunsPerDay"})


def test_the_bucket_is_private_and_rejects_plain_http() -> None:
    bucket = RESOURCES["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (policy,) = of_type("AWS::S3::BucketPolicy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert policy["Properties"]["Bucket"] == {"Ref": "Bucket"}
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [
        {"Fn::GetAtt": ["Bucket", "Arn"]},
        {"Fn::Sub": "${Bucket.Arn}/*"},
    ]


def test_old_runs_old_versions_and_broken_uploads_expire() -> None:
    rules = RESOURCES["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    expiring = {rule.get("Prefix"): rule.get("ExpirationInDays") for rule in rules}
    assert expiring["runs/"] == expiring["incoming/"] == {"Ref": "RunDays"}
    (leftovers,) = [rule for rule in rules if "Prefix" not in rule]
    assert leftovers["NoncurrentVersionExpiration"]["NoncurrentDays"] > 0
    assert leftovers["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] > 0


def test_the_definition_has_a_value_for_every_placeholder_and_no_others() -> None:
    definition = (ROOT / "stepfunctions/pipeline.asl.json").read_text()
    machine = RESOURCES["Pipeline"]["Properties"]
    assert machine["DefinitionS3Location"] == "../stepfunctions/pipeline.asl.json"
    placeholders = re.findall(r"\$\{(\w+)\}", definition)
    assert set(machine["DefinitionSubstitutions"]) == set(placeholders)
    assert len(placeholders) == definition.count("${")


def test_the_machine_is_logged_without_data_and_traced() -> None:
    machine = RESOURCES["Pipeline"]["Properties"]
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert machine["TracingConfiguration"] == {"Enabled": True}


def test_the_schedule_is_off_by_default() -> None:
    assert RESOURCES["Schedule"]["Properties"]["State"] == {"Ref": "ScheduleState"}
    assert TEMPLATE["Parameters"]["ScheduleState"]["Default"] == "DISABLED"


def test_one_object_starts_the_machine_and_no_other() -> None:
    bucket = RESOURCES["Bucket"]["Properties"]
    setting = bucket["NotificationConfiguration"]["EventBridgeConfiguration"]
    assert setting == {"EventBridgeEnabled": True}
    pattern = RESOURCES["Arrival"]["Properties"]["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["bucket"] == {"name": [{"Ref": "Bucket"}]}
    assert pattern["detail"]["object"] == {"key": [{"wildcard": "incoming/*/_READY"}]}


def test_every_alarm_publishes_to_the_topic_and_may_do_so() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert len(alarms) >= 6
    for alarm in alarms.values():
        assert alarm["Properties"]["AlarmActions"] == [{"Ref": "Topic"}]
        assert alarm["Properties"]["AlarmDescription"]
        assert alarm["Properties"]["TreatMissingData"] in {"breaching", "notBreaching"}
    assert RESOURCES["Topic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "TopicKey"}
    key = RESOURCES["TopicKey"]["Properties"]["KeyPolicy"]["Statement"]
    (using,) = [each for each in key if "Service" in each["Principal"]]
    assert set(using["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    policy = RESOURCES["TopicPolicy"]["Properties"]
    (publishing,) = policy["PolicyDocument"]["Statement"]
    assert policy["Topics"] == [publishing["Resource"]] == [{"Ref": "Topic"}]
    assert publishing["Action"] == "sns:Publish"
    for each in (using, publishing):  # without a policy of its own the topic takes no budgets
        assert set(each["Principal"]["Service"]) == {
            "budgets.amazonaws.com",
            "cloudwatch.amazonaws.com",
        }
        account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
        assert each["Condition"] == account


def test_every_alarm_links_to_its_line_of_the_runbook() -> None:
    assert (ROOT / TEMPLATE["Parameters"]["Runbook"]["Default"]).name == "operations.md"
    lines = anchors((ROOT / "docs/operations.md").read_text())
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        said = alarm["Properties"]["AlarmDescription"]["Fn::Sub"]
        assert said.endswith(f" ${{Runbook}}#{name.lower()}")
        assert name.lower() in lines


def test_alarms_on_our_own_metrics_name_what_the_functions_publish() -> None:
    """A name that nobody publishes is an alarm that is never raised."""
    own = {
        alarm["Properties"]["MetricName"]: alarm["Properties"]["Dimensions"]
        for alarm in of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Properties"].get("Namespace") == {"Ref": "AWS::StackName"}
    }
    assert set(own) == {
        "ModelsRejected", "ChampionAgeDays", "ForecastsNotFollowed", "RejectedPercent",
    }  # fmt: skip
    for metric, ((dimension),) in own.items():
        assert dimension["Name"] == "service"
        calls = [
            node
            for node in ast.walk(
                ast.parse((ROOT / f"lambdas/{dimension['Value']}/handler.py").read_text())
            )
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "publish"
        ]
        assert metric in {keyword.arg for call in calls for keyword in call.keywords}


def test_missing_runs_raise_an_alarm_only_if_scheduled() -> None:
    alarm = RESOURCES["NoRunSucceeded"]
    assert alarm["Condition"] == "Scheduled"
    assert alarm["Properties"]["TreatMissingData"] == "breaching"
    assert alarm["Properties"]["EvaluationPeriods"] == {"Ref": "SuccessWithinHours"}
    assert alarm["Properties"]["Period"] == 3600
    assert TEMPLATE["Parameters"]["SuccessWithinHours"]["Default"] == 26


def test_the_dashboard_is_json_and_refers_to_resources() -> None:
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    assert all(each["properties"]["region"] == "${AWS::Region}" for each in widgets)
    named = set(re.findall(r"\$\{(\w+)\}", body))
    assert named <= set(RESOURCES)
    assert set(FUNCTIONS.values()) <= named
    searches = re.findall(r"SEARCH\('\{(.*?)\}", body.replace('\\"', '"'))
    # A name with a dash, as of most stacks, is one word of a search only in quotation marks.
    assert searches == ['"${AWS::StackName']


def test_a_function_times_out_before_its_state() -> None:
    """Otherwise a retry could start while the function still runs."""
    definition = json.loads((ROOT / "stepfunctions/pipeline.asl.json").read_text())
    waits: dict[str, list[int]] = {}

    def visit(node: object) -> None:
        if isinstance(node, dict):
            text = json.dumps(node.get("Parameters", {}))
            for name in re.findall(r"\$\{(\w+)Arn\}", text) if "TimeoutSeconds" in node else []:
                waits.setdefault(name, []).append(node["TimeoutSeconds"])
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(definition)
    assert set(FUNCTIONS.values()) - waits.keys() == {"ForgetCustomer"}  # a person calls it
    for name in waits.keys() & FUNCTIONS.values():
        assert RESOURCES[name]["Properties"]["Timeout"] < min(waits[name]), name


def test_every_parameter_is_described_bounded_and_in_a_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    for name, parameter in TEMPLATE["Parameters"].items():
        assert name == "SourceSecretArn" or "Default" in parameter
        if parameter["Type"] == "Number":
            assert {"MinValue", "MaxValue"} <= set(parameter) or "AllowedValues" in parameter, name
        assert "Description" in parameter or "ConstraintDescription" in parameter, name
        if "AllowedPattern" in parameter and parameter.get("Default"):
            assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"]), name


def test_settings_and_parameters_have_the_same_bounds_and_defaults() -> None:
    """The function accepts all values that the template accepts."""
    for function, name in FUNCTIONS.items():
        settings = importlib.import_module(f"lambdas.{function}.handler").Settings
        variables = RESOURCES[name]["Properties"]["Environment"]["Variables"]
        for field in settings.model_fields.values():
            value = variables[field.alias]
            parameter = TEMPLATE["Parameters"].get(value.get("Ref"), {})
            if parameter.get("Type") != "Number":
                continue
            assert int(parameter["Default"]) == field.default, field.alias
            for bound in (parameter["MinValue"], parameter["MaxValue"]):
                example = {f.alias: "x" for f in settings.model_fields.values() if f.is_required()}
                settings.model_validate(example | {field.alias: str(bound)})


def test_skipped_checks_of_checkov_have_reasons() -> None:
    lines = (ROOT / "infra/checkov.yaml").read_text().splitlines()
    skipped = [line for line in lines if line.startswith("  - ")]
    assert skipped
    for line in skipped:
        assert re.fullmatch(r"  - CKV_AWS_\d+ # .{20,}", line), line


def test_the_image_repository_is_scanned_and_its_tags_never_change_or_expire() -> None:
    repository = RESOURCES["Repository"]["Properties"]
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    (rule,) = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert rule["selection"]["tagStatus"] == "untagged"  # packages of the registry name the others


def test_the_outputs_are_those_that_are_read() -> None:
    assert set(TEMPLATE["Outputs"]) == {
        "BucketName",
        "TableName",
        "TopicArn",
        "ForgetFunction",
        "PipelineArn",
        "ModelGroupPrefix",
        "RepositoryUri",
        "RunbookAddress",
        "SageMakerRoleArn",
    }
