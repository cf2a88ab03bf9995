#!/usr/bin/env bash
# Deploys the pipeline or its changes. `make deploy` builds the zips and the image first.
#   STACK       name of the stack (ordergap)
#   REGION      AWS region (AWS_REGION, or that of the profile)
#   PARAMETERS  of infra/template.yaml: 'SourceSecretArn=arn:… "ScheduleExpression=cron(0 22 * * ? *)"';
#               others keep their values in the stack, or get their defaults
#   IMAGE       local name of the image (ordergap)
set -euo pipefail
cd "$(dirname "$0")/.."
stack=${STACK:-ordergap}
image=${IMAGE:-ordergap}
region=${REGION:-${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}}
[ -n "$region" ] || { echo "No region: set REGION=eu-west-1, or run aws configure set region eu-west-1" >&2; exit 2; }
export AWS_REGION=$region AWS_DEFAULT_REGION=$region AWS_PAGER=
mapfile -t parameters < <(xargs -r -n1 printf '%s\n' <<<"${PARAMETERS:-}")
account=$(aws sts get-caller-identity --query Account --output text)
artefacts=$(tr '[:upper:]' '[:lower:]' <<<"$stack")-artefacts-$account-$region
id=$(docker image inspect --format '{{.Id}}' "$image") || { echo "The image $image does not exist: run make image" >&2; exit 2; }
tag=${id#sha256:}
tag=${tag:0:20}

resource() { # its physical id, by its name in the template; empty if it does not exist
  aws cloudformation describe-stack-resources --stack-name "$stack" --output text \
    --query "StackResources[?LogicalResourceId=='$1'].PhysicalResourceId" 2>/dev/null || true
}

push() { # the image to the repository $1, unless it is there
  local uri
  uri=$(aws ecr describe-repositories --repository-names "$1" --query 'repositories[0].repositoryUri' --output text)
  if aws ecr describe-images --repository-name "$1" --image-ids "imageTag=$tag" >/dev/null 2>&1; then
    echo "The image $uri:$tag is already there"
  else
    echo "Pushing the image to $uri:$tag"
    aws ecr get-login-password | docker login --username AWS --password-stdin "${uri%%/*}"
    docker tag "$image" "$uri:$tag"
    docker push --quiet "$uri:$tag"
  fi
}

echo "Stack $stack in account $account, $region"
if ! aws s3api head-bucket --bucket "$artefacts" >/dev/null 2>&1; then
  echo "Creating the bucket $artefacts for zips and templates"
  location=()
  [ "$region" = us-east-1 ] || location=(--create-bucket-configuration "LocationConstraint=$region")
  aws s3api create-bucket --bucket "$artefacts" "${location[@]}" >/dev/null
  aws s3api put-public-access-block --bucket "$artefacts" --public-access-block-configuration \
    BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
fi

# Where the stack exists, the image is pushed first: the new definition uses it at once.
repository=$(resource Repository)
[ -z "$repository" ] || push "$repository"
echo "Uploading dist/ and deploying"
aws cloudformation package --template-file infra/template.yaml --s3-bucket "$artefacts" \
  --output-template-file dist/template.yaml >dist/upload.log 2>&1 ||
  { tr '\r' '\n' <dist/upload.log | grep -v ^Uploading >&2; exit 1; }
aws cloudformation deploy --template-file dist/template.yaml --stack-name "$stack" \
  --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset \
  --tags "application=ordergap" --parameter-overrides "ImageTag=$tag" "${parameters[@]}"
[ -n "$repository" ] || push "$(resource Repository)"

cat <<END
Deployed: bucket $(resource Bucket), table $(resource Predictions), topic $(resource Topic).
Start a run: aws stepfunctions start-execution --region $region --state-machine-arn $(resource Pipeline) --name first-run
END
