#!/usr/bin/env bash
# Deploys the pipeline or its changes. `make deploy` builds the zips and the image first.
#   STACK       name of the stack (ordergap)
#   REGION      AWS region (AWS_REGION, or that of the profile)
#   PARAMETERS  of infra/template.yaml: 'SourceSecretArn=arn:… "ScheduleExpression=cron(0 22 * * ? *)"';
#               others keep their values in the stack, or get their defaults
#   IMAGE       local name of the image (ordergap)
# For bash 3.2 too, which macOS has: no mapfile, and no array that may be empty.
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "$*" >&2; exit 2; }
stack=${STACK:-ordergap}
image=${IMAGE:-ordergap}
region=${REGION:-${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}}
[ -n "$region" ] || fail "No region: set REGION=eu-west-1, or run aws configure set region eu-west-1"
export AWS_REGION=$region AWS_DEFAULT_REGION=$region AWS_PAGER=
listed=$(xargs -n1 printf '%s\n' <<<"${PARAMETERS:-}") || fail "PARAMETERS has a quotation mark that is not closed"
account=$(aws sts get-caller-identity --query Account --output text)
artefacts=$(tr '[:upper:]' '[:lower:]' <<<"$stack")-artefacts-$account-$region
[ ${#artefacts} -le 63 ] ||
  fail "The stack's name is $((${#artefacts} - 63)) characters too long for the bucket $artefacts: set a shorter STACK"
inspected=$(docker image inspect --format '{{.Id}} {{.Os}}/{{.Architecture}}' "$image") ||
  fail "The image $image does not exist: run make image"
platform=${inspected#* }
[ "$platform" = linux/amd64 ] || fail "The image $image is for $platform, but the pipeline's instances are linux/amd64: run make image"
tag=${inspected#sha256:}
tag=${tag:0:20}

resource() { # its physical id, by its name in the template; empty if it does not exist
  aws cloudformation describe-stack-resources --stack-name "$stack" --output text \
    --query "StackResources[?LogicalResourceId=='$1'].PhysicalResourceId" 2>/dev/null || true
}

manifest() { # the media type of the image's manifest in the repository $1
  aws ecr describe-images --repository-name "$1" --image-ids "imageTag=$tag" --output text \
    --query 'imageDetails[0].imageManifestMediaType'
}

push() { # the image to the repository $1, unless it is there; SageMaker must take its manifest
  local uri type takes=application/vnd.docker.distribution.manifest.v2+json
  uri=$(aws ecr describe-repositories --repository-names "$1" --query 'repositories[0].repositoryUri' --output text)
  if type=$(manifest "$1" 2>/dev/null); then
    echo "The image $uri:$tag is already there"
  else
    echo "Pushing the image to $uri:$tag"
    aws ecr get-login-password | docker login --username AWS --password-stdin "${uri%%/*}"
    docker tag "$image" "$uri:$tag"
    docker push --quiet "$uri:$tag"
    type=$(manifest "$1")
    # What was pushed just now is used by nobody, and no run shall begin with it.
    [ "$type" = $takes ] || aws ecr batch-delete-image --repository-name "$1" --image-ids "imageTag=$tag" >/dev/null
  fi
  [ "$type" = $takes ] || fail "The manifest of $uri:$tag is $type, which SageMaker may refuse once a" \
    "training is paid for. Build the image as one Docker v2 manifest: make image, with a current docker buildx."
}

echo "Stack $stack in account $account, $region"
python3 -m infra.costs --region "$region"
if [ "$(aws cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus' \
  --output text 2>/dev/null || true)" = ROLLBACK_COMPLETE ]; then
  echo "Deleting the stack, whose first creation was rolled back"
  aws cloudformation delete-stack --stack-name "$stack"
  aws cloudformation wait stack-delete-complete --stack-name "$stack"
fi

# Where the stack exists, the image is pushed first: the new definition uses it at once.
repository=$(resource Repository)
[ -z "$repository" ] || push "$repository"

# The bucket's name can be guessed, so somebody else may have it. `aws cloudformation package` cannot
# be told the owner; a bucket that is ours now stays ours until we delete it.
if ! aws s3api head-bucket --bucket "$artefacts" --expected-bucket-owner "$account" >/dev/null 2>&1; then
  echo "Creating the bucket $artefacts for zips and templates"
  create=(--bucket "$artefacts")
  [ "$region" = us-east-1 ] || create+=(--create-bucket-configuration "LocationConstraint=$region")
  aws s3api create-bucket "${create[@]}" >/dev/null ||
    fail "The bucket $artefacts could not be created. If another account has it, set another STACK."
  aws s3api put-public-access-block --bucket "$artefacts" --expected-bucket-owner "$account" \
    --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
  aws s3api head-bucket --bucket "$artefacts" --expected-bucket-owner "$account" >/dev/null
fi

# CloudFormation refuses a template with a type that the region lacks, even if its condition is false.
template=infra/template.yaml
unknown=$(aws cloudformation describe-type --type RESOURCE --type-name AWS::Budgets::Budget 2>&1 >/dev/null || true)
if [[ $unknown == *TypeNotFoundException* ]]; then
  echo "CloudFormation makes no budgets in $region: MonthlyBudget has no effect, make one in the console of AWS Budgets" >&2
  template=dist/without-budget.yaml
  sed '/^  Budget:$/,/^$/d' infra/template.yaml >"$template"
fi
echo "Uploading dist/ and deploying"
aws cloudformation package --template-file "$template" --s3-bucket "$artefacts" --use-json \
  --output-template-file dist/packaged.json >dist/upload.log 2>&1 ||
  { tr '\r' '\n' <dist/upload.log | grep -v ^Uploading >&2; exit 1; }
parameters=("ImageTag=$tag")
while IFS= read -r each; do [ -z "$each" ] || parameters+=("$each"); done <<<"$listed"
# Through the bucket: a request takes 51,200 bytes of template.
aws cloudformation deploy --template-file dist/packaged.json --s3-bucket "$artefacts" --stack-name "$stack" \
  --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
  --tags "application=ordergap" --parameter-overrides "${parameters[@]}"
push "$(resource Repository)" # a first deployment and another Prefix have made a new one
table=$(resource Predictions)
[ "$(aws dynamodb describe-table --table-name "$table" --query Table.DeletionProtectionEnabled --output text)" = True ] ||
  aws dynamodb update-table --table-name "$table" --deletion-protection-enabled >/dev/null

cat <<END
Deployed: bucket $(resource Bucket), table $table, topic $(resource Topic).
Start a run: aws stepfunctions start-execution --region $region --state-machine-arn $(resource Pipeline)
END
