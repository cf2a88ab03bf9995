#!/usr/bin/env bash
# Deletes the stack and lists what stays. STACK and REGION as in deploy.sh; CONFIRM=<name of the stack> confirms.
set -euo pipefail
stack=${STACK:-ordergap}
region=${REGION:-${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}}
[ -n "$region" ] || { echo "No region: set REGION=eu-west-1, or run aws configure set region eu-west-1" >&2; exit 2; }
export AWS_REGION=$region AWS_DEFAULT_REGION=$region AWS_PAGER=
account=$(aws sts get-caller-identity --query Account --output text)
artefacts=$(tr '[:upper:]' '[:lower:]' <<<"$stack")-artefacts-$account-$region

resource() { # its physical id, by its name in the template; empty if an earlier try has deleted it
  aws cloudformation describe-stack-resources --stack-name "$stack" --output text --query \
    "StackResources[?LogicalResourceId=='$1' && ResourceStatus!='DELETE_COMPLETE'].PhysicalResourceId"
}
aws cloudformation describe-stacks --stack-name "$stack" >/dev/null ||
  { echo "The stack $stack does not exist in account $account, $region." >&2; exit 2; }
bucket=$(resource Bucket) table=$(resource Predictions) repository=$(resource Repository) pipeline=$(resource Pipeline)
# A state machine is deleted when its executions have ended. Their jobs would go on, and be paid for.
running=$([ -z "$pipeline" ] || aws stepfunctions list-executions --state-machine-arn "$pipeline" \
  --status-filter RUNNING --output text --query 'executions[].executionArn')
[ -z "$running" ] || { echo "A run is under way. Wait for its end, or stop it:" \
  "aws stepfunctions stop-execution --region $region --execution-arn $running" >&2; exit 2; }
# An endpoint would go on with a role that is gone, and be paid for.
endpoints=$([ -z "$repository" ] || aws sagemaker list-endpoints --name-contains "$repository-" --output text \
  --query "Endpoints[?starts_with(EndpointName,'$repository-')].EndpointName")
[ -z "$endpoints" ] || { echo "Endpoints are there, and are paid for. Remove each by make endpoint OFF=1" \
  "MARKET=<what is after $repository->: $endpoints" >&2; exit 2; }

cat <<END
Stack $stack in account $account, $region.
Deleted: functions, state machine, schedule, alarms, topic with its subscriptions, logs,
         and the image repository $repository with every image in it.
Kept, at a cost:
  the files of the runs    bucket $bucket
  the forecasts            table $table (protected against deletion)
  zips and templates       bucket $artefacts
  logs of jobs             log groups under /aws/sagemaker
  key of the forgotten     secret $stack-forgotten, if anybody was (never delete it before the bucket)
Kept, at no cost, in the stack's Prefix: models of SageMaker, and the packages of the model registry,
         whose image is deleted.
END
answer=${CONFIRM:-}
if [ -z "$answer" ] && [ -t 0 ]; then read -rp "Type the stack's name to delete it: " answer; fi
[ "$answer" = "$stack" ] || { echo "Nothing was deleted: type $stack, or set CONFIRM=$stack." >&2; exit 2; }

aws cloudformation delete-stack --stack-name "$stack"
aws cloudformation wait stack-delete-complete --stack-name "$stack"
cat <<END
Deleted. To delete the rest as well:
  aws s3 rb --force s3://$artefacts
  aws dynamodb update-table --table-name $table --no-deletion-protection-enabled && aws dynamodb delete-table --table-name $table
  bucket $bucket keeps versions: empty it in the console, then aws s3 rb s3://$bucket
END
