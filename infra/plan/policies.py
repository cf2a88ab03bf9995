"""What IAM says of the roles: whether the policies are well-formed, and what they allow."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from infra.plan.questions import Check, Findings, Note, Plan, Problem, aws

_WRONG = {"ERROR", "SECURITY_WARNING"}


class Right(NamedTuple):
    """What a role must be allowed, or must not be."""

    role: str
    actions: str
    resource: str
    """With `${…}` of the template."""
    context: tuple[str, str] | None = None
    """A condition key and its value."""
    allowed: bool = True


_ACCOUNT = "${AWS::Region}:${AWS::AccountId}"
_ARN = "arn:${AWS::Partition}:"
_JOB = "${Prefix}-uk-2011-12-09-3f2a9c1b7d04"
_RUN = "${Bucket.Arn}/runs/first-run/uk"
_GROUP = f"{_ARN}sagemaker:{_ACCOUNT}:model-package-group/${{Prefix}}-uk"
_PACKAGE = f"{_ARN}sagemaker:{_ACCOUNT}:model-package/${{Prefix}}-uk/1"
_RUNS = ("s3:prefix", "runs/first-run/uk/")
_EXECUTIONS = f"{_ARN}states:{_ACCOUNT}"
_RULE = f"{_ARN}events:{_ACCOUNT}:rule/StepFunctionsGetEventsForSageMaker"
_LOG = f"{_ARN}logs:{_ACCOUNT}:log-group:"
_FORGOTTEN = f"{_ARN}secretsmanager:{_ACCOUNT}:secret:${{AWS::StackName}}-forgotten-x"
_LOGS = "logs:CreateLogStream logs:PutLogEvents"
_FUNCTIONS = (
    "BeginRun",
    "ExtractOrders",
    "JudgeFeed",
    "JudgeModel",
    "TrackModel",
    "StorePredictions",
    "Reconcile",
    "BeginFollow",
    "JudgeForecasts",
    "Announce",
)
_BESIDE = "ForgetCustomer"
_SAGEMAKER = ("iam:PassedToService", "sagemaker.amazonaws.com")

RIGHTS = (
    *(
        Right(f"{function}Role", _LOGS, f"{_LOG}${{{function}Logs}}:log-stream:x")
        for function in (*_FUNCTIONS, _BESIDE)
    ),
    Right("BeginRunRole", "s3:GetObject s3:PutObject", "${Bucket.Arn}/runs/running.json"),
    Right("BeginRunRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right(
        "BeginRunRole",
        "states:DescribeExecution",
        f"{_EXECUTIONS}:execution:${{AWS::StackName}}:first-run",
    ),
    Right("ExtractOrdersRole", "s3:DeleteObject s3:GetObject s3:PutObject", f"{_RUN}/train/0"),
    Right("ExtractOrdersRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right("ExtractOrdersRole", "secretsmanager:GetSecretValue", "${SourceSecretArn}"),
    Right("ExtractOrdersRole", "s3:PutObject", "${Bucket.Arn}/models/x", None, allowed=False),
    Right("JudgeFeedRole", "s3:GetObject s3:PutObject", f"{_RUN}/feed.json"),
    Right("JudgeFeedRole", "s3:GetObject s3:PutObject", "${Bucket.Arn}/feeds/uk/accepted.json"),
    Right("JudgeFeedRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right("JudgeFeedRole", "s3:PutObject", "${Bucket.Arn}/models/x", None, allowed=False),
    Right(
        "JudgeFeedRole",
        "sagemaker:DescribeModelPackageGroup sagemaker:ListModelPackages sagemaker:ListTags",
        _GROUP,
    ),
    Right("JudgeFeedRole", "sagemaker:DescribeModelPackage", _PACKAGE),
    Right("JudgeModelRole", "s3:GetObject s3:PutObject", f"{_RUN}/verdict.json"),
    Right("JudgeModelRole", "s3:GetObject s3:PutObject", "${Bucket.Arn}/models/uk/model.tar.gz"),
    Right("JudgeModelRole", "s3:GetObject", "${Bucket.Arn}/cohorts/uk/follow.json"),
    Right("JudgeModelRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right(
        "JudgeModelRole",
        "sagemaker:CreateModelPackage sagemaker:CreateModelPackageGroup "
        "sagemaker:DescribeModelPackageGroup sagemaker:ListModelPackages sagemaker:ListTags",
        _GROUP,
    ),
    Right(
        "JudgeModelRole", "sagemaker:CreateModelPackage sagemaker:DescribeModelPackage", _PACKAGE
    ),
    Right("JudgeModelRole", "ecr:BatchGetImage", "${Repository.Arn}"),
    Right("JudgeModelRole", "sagemaker:ListModels", "*"),
    Right("JudgeModelRole", "sagemaker:DeleteModel", f"{_ARN}sagemaker:{_ACCOUNT}:model/{_JOB}"),
    Right("TrackModelRole", "s3:GetObject", f"{_RUN}/verdict.json"),
    Right("TrackModelRole", "s3:GetObject", "${Bucket.Arn}/models/uk/model.tar.gz"),
    Right("TrackModelRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right("TrackModelRole", "s3:PutObject", "${Bucket.Arn}/models/x", None, allowed=False),
    Right("StorePredictionsRole", "s3:GetObject s3:PutObject", f"{_RUN}/predictions/0"),
    Right("StorePredictionsRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right("StorePredictionsRole", "dynamodb:PutItem", "${Predictions.Arn}"),
    Right("StorePredictionsRole", "dynamodb:DeleteItem", "${Predictions.Arn}", None, allowed=False),
    Right("ReconcileRole", "s3:GetObject", f"{_RUN}/_SUCCESS"),
    Right("ReconcileRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right("ReconcileRole", "s3:PutObject", f"{_RUN}/_SUCCESS", None, allowed=False),
    *(
        Right(f"{name}Role", "s3:GetObject", key)
        for name in ("BeginFollow", "JudgeForecasts")
        for key in (f"{_RUN}/days.json", "${Bucket.Arn}/feeds/uk/flags.json")
    ),
    Right("BeginFollowRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right("BeginFollowRole", "s3:PutObject", "${Bucket.Arn}/feeds/x", None, allowed=False),
    Right("BeginFollowRole", "sagemaker:ListModelPackages", _GROUP),
    Right("BeginFollowRole", "sagemaker:DescribeModelPackage", _PACKAGE),
    Right("JudgeForecastsRole", "s3:ListBucket", "${Bucket.Arn}"),
    Right("JudgeForecastsRole", "s3:PutObject", "${Bucket.Arn}/feeds/uk/flags.json"),
    Right("JudgeForecastsRole", "s3:PutObject", "${Bucket.Arn}/cohorts/uk/follow.html"),
    Right("JudgeForecastsRole", "s3:PutObject", f"{_RUN}/x", None, allowed=False),
    Right("JudgeForecastsRole", "events:PutEvents", f"{_ARN}events:{_ACCOUNT}:event-bus/default"),
    Right("ExtractOrdersRole", "secretsmanager:GetSecretValue", _FORGOTTEN),
    Right(
        "ForgetCustomerRole",
        "s3:DeleteObjectVersion s3:GetObject s3:GetObjectVersion s3:PutObject",
        f"{_RUN}/score/0",
    ),
    Right("ForgetCustomerRole", "s3:DeleteObject", "${Bucket.Arn}/forgotten/uk/x"),
    Right("ForgetCustomerRole", "s3:DeleteObject", f"{_RUN}/score/0", None, allowed=False),
    Right("ForgetCustomerRole", "s3:ListBucket s3:ListBucketVersions", "${Bucket.Arn}"),
    Right(
        "ForgetCustomerRole",
        "states:DescribeExecution",
        f"{_EXECUTIONS}:execution:${{AWS::StackName}}:first-run",
    ),
    Right(
        "ForgetCustomerRole",
        "secretsmanager:CreateSecret secretsmanager:GetSecretValue",
        _FORGOTTEN,
    ),
    Right("ForgetCustomerRole", "dynamodb:DeleteItem", "${Predictions.Arn}"),
    Right("AnnounceRole", "sns:Publish", "${Topic}"),
    Right("AnnounceRole", "kms:Decrypt kms:GenerateDataKey", "${TopicKey.Arn}"),
    Right("SageMakerRole", "s3:GetObject s3:PutObject", f"{_RUN}/model/x"),
    Right("SageMakerRole", "s3:GetObject s3:PutObject", "${Bucket.Arn}/models/uk/model.tar.gz"),
    Right("SageMakerRole", "s3:GetObject s3:PutObject", "${Bucket.Arn}/cohorts/uk/x.parquet"),
    Right("SageMakerRole", "s3:AbortMultipartUpload", f"{_RUN}/model/x"),
    Right("SageMakerRole", "s3:ListBucket", "${Bucket.Arn}", _RUNS),
    Right("SageMakerRole", "s3:GetObject", "${Bucket.Arn}/incoming/x", None, allowed=False),
    Right(
        "SageMakerRole",
        "ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer",
        "${Repository.Arn}",
    ),
    Right("SageMakerRole", "ecr:GetAuthorizationToken", "*"),
    Right(
        "SageMakerRole",
        "logs:CreateLogGroup logs:CreateLogStream logs:DescribeLogStreams logs:PutLogEvents",
        f"{_LOG}/aws/sagemaker/TrainingJobs:log-stream:x",
    ),
    Right(
        "SageMakerRole",
        "cloudwatch:PutMetricData",
        "*",
        ("cloudwatch:namespace", "/aws/sagemaker/TrainingJobs"),
    ),
    Right(
        "SageMakerRole",
        "cloudwatch:DescribeAlarms",
        f"{_ARN}cloudwatch:{_ACCOUNT}:alarm:${{Prefix}}-uk-errors",
    ),
    *(
        Right("PipelineRole", "lambda:InvokeFunction", f"${{{function}.Arn}}")
        for function in _FUNCTIONS
    ),
    *(
        Right(
            "PipelineRole",
            f"sagemaker:AddTags sagemaker:Create{kind}Job sagemaker:Describe{kind}Job "
            f"sagemaker:ListTags sagemaker:Stop{kind}Job",
            f"{_ARN}sagemaker:{_ACCOUNT}:{kind.lower()}-job/{_JOB}",
        )
        for kind in ("Training", "Transform", "Processing")
    ),
    Right(
        "PipelineRole",
        "sagemaker:AddTags sagemaker:CreateModel",
        f"{_ARN}sagemaker:{_ACCOUNT}:model/{_JOB}",
    ),
    Right("PipelineRole", "iam:PassRole", "${SageMakerRole.Arn}", _SAGEMAKER),
    Right("PipelineRole", "iam:PassRole", "${AnnounceRole.Arn}", _SAGEMAKER, allowed=False),
    *(
        Right(
            "PipelineRole",
            "events:DescribeRule events:PutRule events:PutTargets",
            f"{_RULE}{kind}JobsRule",
        )
        for kind in ("Training", "Transform", "Processing")
    ),
    Right("PipelineRole", "s3:ListBucket", "${Bucket.Arn}", _RUNS),
    Right("PipelineRole", "states:StartExecution", "${Pipeline}"),
    Right(
        "PipelineRole",
        "states:DescribeExecution states:StopExecution",
        f"{_EXECUTIONS}:execution:${{AWS::StackName}}/StorePredictions:x",
    ),
    Right(
        "PipelineRole",
        "states:RedriveExecution",
        f"{_EXECUTIONS}:execution:${{AWS::StackName}}/StorePredictions:x",
    ),
    Right("StarterRole", "states:StartExecution", "${Pipeline}"),
)
"""What runs and endpoints do, beside the rights to write logs and traces that have no resource."""


def valid(plan: Plan) -> Findings:
    """Access Analyzer reads every policy of a role, and who may take the role."""
    for role, properties in plan.stack.roles.items():
        documents: list[tuple[Any, dict[str, str]]] = [
            (each["PolicyDocument"], {"policyType": "IDENTITY_POLICY"})
            for each in properties["Policies"]
        ]
        trust = {
            "policyType": "RESOURCE_POLICY",
            "validatePolicyResourceType": "AWS::IAM::AssumeRolePolicyDocument",
        }
        documents.append((properties["AssumeRolePolicyDocument"], trust))
        for document, kind in documents:
            answer = aws(
                "accessanalyzer validate-policy", policyDocument=json.dumps(document), **kind
            )
            for each in answer["findings"]:
                said = f"{role}: {each['issueCode']}: {each['findingDetails']}"
                yield Problem(said) if each["findingType"] in _WRONG else Note(said)


def sufficient(plan: Plan) -> Findings:
    """IAM decides on each action with its resource, as it would in a run."""
    simulated = 0
    for right in RIGHTS:
        policies = plan.stack.roles[right.role]["Policies"]
        resource = plan.stack.text(right.resource)
        context = [
            {"ContextKeyName": key, "ContextKeyType": "string", "ContextKeyValues": [value]}
            for key, value in filter(None, [right.context])
        ]
        answer = aws(
            "iam simulate-custom-policy",
            PolicyInputList=[json.dumps(each["PolicyDocument"]) for each in policies],
            ActionNames=right.actions.split(),
            ResourceArns=[resource],
            ContextEntries=context,
        )
        for each in answer["EvaluationResults"]:
            simulated += 1
            action, decision = each["EvalActionName"], each["EvalDecision"]
            if (decision == "allowed") != right.allowed:
                must = "must be allowed" if right.allowed else "must not be allowed"
                yield Problem(f"{right.role}: {action} on {resource} is {decision}, and {must}")
    expected = sum(len(right.actions.split()) for right in RIGHTS)
    if simulated != expected:
        yield Problem(f"IAM decided on {simulated} of {expected} actions")
    yield Note(f"{simulated} decisions; policies of your organization and of services are not seen")


CHECKS = (
    Check("policies", "Access Analyzer whether the roles' policies are valid", valid),
    Check("rights", "IAM whether the policies allow what a run does", sufficient),
)
