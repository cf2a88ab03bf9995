# One table of what can be done here: `make` prints the lines that carry two hashes.
SHELL := /bin/bash
comma := ,
PYTHON ?= $(or $(shell command -v python3.11 2>/dev/null),python3)
# Where PyTorch's build for the CPU is, unless pip is told of a folder of wheels.
PIP_FIND_LINKS ?= $(or $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null),https://download.pytorch.org/whl/cpu/torch/)
export PIP_FIND_LINKS
# One Docker v2 manifest for linux/amd64, which is what SageMaker takes: see also the target `image`.
DOCKER_BUILD ?= $(if $(shell docker buildx version 2>/dev/null),docker buildx build --output type=docker$(comma)oci-mediatypes=false,docker build) -t
IMAGE ?= ordergap
SOURCE ?= unknown# where the code is, for the image's label
VARIANT ?= cpu# or slim (no PyTorch), or cuda
PINS = requirements$(if $(filter-out cpu,$(VARIANT)),-$(VARIANT)).txt
TAG = $(IMAGE)$(if $(filter-out cpu,$(VARIANT)),:$(VARIANT))
CYCLONEDX := 7.5.0
PIP_AUDIT := 2.10.1
ASL_VALIDATOR := 4.0.0
ASL_SERVICE := 1.16.1# AWS's own, which make doctor asks
ASL := .venv/asl-validator-$(ASL_VALIDATOR)/node_modules/.bin/asl-validator
ASL_MODULES := .venv/amazon-states-language-service-$(ASL_SERVICE)/node_modules
MERMAID := $(if $(shell command -v npm),.venv-docs/mermaid-11.17.2.min.js)# draws the documents' diagrams
CHECKOV := 3.3.30# in an environment of its own: its pins are not ours
DETECT_SECRETS := 1.5.0# likewise
# Guesses by the look of a text find examples, digests and tests; what is left knows keys by their form.
GUESSES := HexHighEntropyString Base64HighEntropyString KeywordDetector BasicAuthDetector
BIN := .venv/bin
# The SDK's environments lack what the other tests need, and the SDK warns of much that is not ours.
IN_SDK := --confcutdir=tests/sdk --override-ini=filterwarnings=ignore
COMPILE := $(BIN)/python -m uv pip compile --quiet --python $(BIN)/python --generate-hashes --no-build --annotation-style line \
  --python-version 3.11 --custom-compile-command 'make lock' $(ARGS)
# One list for Linux, macOS and Windows, with markers where they differ.
UNIVERSAL := --universal --fork-strategy fewest
EXTRAS := --extra serve --extra lstm --constraint requirements-slim.txt --constraint requirements-torch.in
# What the package asks of the system, checked for the other systems; serving is not for Windows.
ELSEWHERE := --package ordergap --no-warn-unreachable --cache-dir .mypy_cache
# NCCL would be there twice, in one folder; XGBoost asks for it only where many GPUs train together.
CUDA_WITHOUT := xgboost-cpu nvidia-nccl-cu12

.DEFAULT_GOAL := help
.PHONY: help setup run test hashing check docs image e2e e2e-sdk lock resolve sbom bench asl package lambda-python checkov doctor plan deploy rollback lineage endpoint teardown forget contract offline fuzz soak kills secrets

help:
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1	/p' $(MAKEFILE_LIST)

setup: .venv/ready ## make .venv with everything that the targets below need

.venv/ready: requirements.txt requirements-dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements.txt --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

run: setup ## run the AWS pipeline on this machine, on CDNOW or on your file: make run DATA=orders.csv ARGS="--date_column Day"
	$(BIN)/python -m local run $(if $(DATA),--data $(DATA)) $(ARGS)

test: setup ## run every test that this machine can run; ARGS=--cov prints what share of the code they run
	$(BIN)/pytest -n auto --dist loadgroup $(ARGS)

hashing: setup ## test the buckets: the function, then the languages, then the product; stops at what fails first
	$(BIN)/python -m tests.hashing_line

check: setup asl ## lint, format, types (for macOS and Windows too), import contracts and the state machine
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy $(ELSEWHERE)/darwin --platform darwin
	$(BIN)/mypy $(ELSEWHERE)/win32 --platform win32 --exclude /serving/
	$(BIN)/lint-imports

docs: setup .venv-docs/ready $(MERMAID) ## write the generated parts of the documents anew; build the site in dist/docs
	$(BIN)/python -m docs.generate
	MERMAID=$(MERMAID) NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs --quiet build --strict

.venv-docs/mermaid-%.min.js: | .venv-docs/ready
	npm pack --silent --pack-destination $(@D) mermaid@$*
	tar xzOf $(@D)/mermaid-$*.tgz package/dist/mermaid.min.js > $@ && rm $(@D)/mermaid-$*.tgz

# Every engine reads these; BuildKit's attestations would make an index of the image.
image: export DOCKER_DEFAULT_PLATFORM := linux/amd64
image: export BUILDX_NO_DEFAULT_ATTESTATIONS := 1
image: ## build the image `ordergap`, tagged `sagemaker-training` too; VARIANT=slim is without PyTorch; BASE=IMAGE on another base
	$(DOCKER_BUILD) $(TAG) . --build-arg VARIANT=$(VARIANT) $(if $(BASE),--build-arg BASE=$(BASE)) \
	  --build-arg VERSION=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' container/ordergap/__init__.py) \
	  --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) --build-arg SOURCE=$(SOURCE)
	@[ $(VARIANT) != cpu ] || docker tag $(TAG) sagemaker-training
	@docker image inspect $(TAG) --format '{{.Size}}' | awk '{printf "$(TAG) ($(VARIANT)): %.0f MB\n", $$1 / 1e6}'

e2e: setup ## test the built image; fails without a Docker engine or an image of this checkout
	ORDERGAP_IMAGE=$(IMAGE) $(BIN)/pytest -m docker tests/e2e

e2e-sdk: .venv-sagemaker/ready .venv-sagemaker2/ready ## drive the built image by the SageMaker SDK's local mode, versions 3 and 2
	ORDERGAP_IMAGE=$(IMAGE) .venv-sagemaker/bin/python -m pytest $(IN_SDK) tests/sdk/test_v3.py
	ORDERGAP_IMAGE=$(IMAGE) .venv-sagemaker2/bin/python -m pytest $(IN_SDK) tests/sdk/test_v2.py

offline: setup .venv-tools/ready ## check rules, dashboard and manifests; Prometheus, HAProxy, kubectl and DVC where they are installed
	$(BIN)/pytest -rs tests/integration/test_monitoring.py tests/integration/test_rolling_update.py \
	  tests/integration/test_dvc.py tests/unit/infra/test_kubernetes.py

.venv-%/ready: requirements-%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --no-deps --requirement $<
	touch $@

# See docs/decisions/packaging.md#every-package-of-the-image-is-pinned-by-hash.
lock: setup ## pin what pyproject.toml names in requirements*.txt, with hashes; ARGS=--upgrade takes the newest of all
	$(COMPILE) $(UNIVERSAL) pyproject.toml --extra serve --output-file requirements-slim.txt
	sed -n 's/^xgboost-cpu\(==[^ ;]*\).*/xgboost\1/p' requirements-slim.txt | \
	  $(COMPILE) --python-platform x86_64-manylinux_2_28 pyproject.toml - $(EXTRAS) \
	  $(addprefix --no-emit-package ,$(CUDA_WITHOUT)) --output-file requirements-cuda.txt
	$(COMPILE) $(UNIVERSAL) pyproject.toml $(EXTRAS) --no-emit-package torch --output-file requirements.txt \
	  --excludes <(sed -nE 's/^((cuda|nvidia|triton)[a-z0-9-]*)==.*/\1/p' requirements-cuda.txt)
	cat requirements-torch.in >> requirements.txt
	$(COMPILE) $(UNIVERSAL) --group dev $(wildcard lambdas/requirements.txt lambdas/*/requirements.txt) \
	  --constraint requirements.txt --output-file requirements-dev.txt
	$(COMPILE) $(UNIVERSAL) --group docs --constraint requirements-dev.txt --output-file requirements-docs.txt

resolve: setup ## see that Linux, macOS and Windows have wheels of all that the package needs, for Python 3.11 to 3.13
	$(BIN)/pytest -s tests/architecture/test_platforms.py

sbom: .venv-supply/ready ## list what is in the image, with licences, in dist/sbom-VARIANT.json; look for known faults
	rm -rf dist/shipped && .venv-supply/bin/python -m venv --without-pip dist/shipped
	docker run --rm --entrypoint sh $(TAG) -c 'cd /opt/packages/lib/python3*/site-packages && tar c *.dist-info' | \
	  tar x -C dist/shipped/lib/python3*/site-packages
	.venv-supply/bin/cyclonedx-py environment --output-reproducible --output-file dist/sbom-$(VARIANT).json dist/shipped/bin/python
	rm -rf dist/shipped
	docker run --rm --entrypoint dpkg-query $(TAG) --show > dist/debian-$(VARIANT).txt
	@if curl --silent --fail --max-time 20 https://pypi.org/pypi/pip/24.0/json | grep -q '"vulnerabilities"'; then \
	  .venv-supply/bin/pip-audit --strict --disable-pip --require-hashes --requirement $(PINS); \
	else echo "pip-audit is left out: the list of known faults at pypi.org/pypi does not answer"; fi

.venv-supply/ready: Makefile
	test -x .venv-supply/bin/python || $(PYTHON) -m venv .venv-supply
	.venv-supply/bin/pip install --quiet cyclonedx-bom==$(CYCLONEDX) pip-audit==$(PIP_AUDIT)
	touch $@

contract: setup ## run the tests that name a point of the platform's contract, and print the table
	$(BIN)/python -m tests.contract.table

fuzz: setup ## 50,000 malformed or odd requests, each within a bound of time and memory; ARGS="--minutes 5"
	$(BIN)/python -m benchmarks.fuzz $(ARGS)

soak: setup ## two minutes at full load with /ping each second; needs wrk
	$(BIN)/python -m benchmarks.soak

kills: setup ## kill training many times; every resumed run must end as the unbroken one
	ORDERGAP_KILLS=5 $(BIN)/pytest -s tests/contract/test_training_resumes.py

bench: setup ## measure speed, each figure beside its baseline
	$(BIN)/python -m benchmarks

asl: ## check the definition of the state machine with asl-validator, where npm is
ifneq ($(shell command -v npm),)
	test -x $(ASL) || npm install --silent --no-audit --no-fund --prefix $(ASL:/node_modules/.bin/asl-validator=) asl-validator@$(ASL_VALIDATOR)
	sed 's/$${Partition}/aws/' stepfunctions/pipeline.asl.json > $(ASL:/node_modules/.bin/asl-validator=)/pipeline.asl.json
	$(ASL) --json-path $(ASL:/node_modules/.bin/asl-validator=)/pipeline.asl.json
	test -d $(ASL_MODULES) || npm install --silent --no-audit --no-fund --prefix $(ASL_MODULES:/node_modules=) amazon-states-language-service@$(ASL_SERVICE)
else
	@echo "npm is not installed: asl-validator is left out"
endif

doctor: setup asl ## find what only AWS would refuse, without AWS: requests, rights, retries, names, sizes
	$(BIN)/python -m infra.doctor

package: setup ## build dist/*.zip, one for each Lambda
	$(BIN)/python -m infra.package

lambda-python: ## build a Python with a C library as old as Lambda's, on which the tests run the zips; as root, on Debian 12
	test -x .venv-lambda/python || tests/lambda_python.sh .venv-lambda

plan: setup ## ask AWS what it would refuse, before anything is paid for: make plan PARAMETERS="SourceSecretArn=arn:…"
	IMAGE=$(IMAGE) $(BIN)/python -m infra.plan

deploy: package image ## deploy to AWS: make deploy PARAMETERS="SourceSecretArn=arn:…", see infra/README.md
	IMAGE=$(IMAGE) infra/deploy.sh

rollback: setup ## go back to an earlier model and stay there: make rollback MARKET=uk [TO=version]; RELEASE=1 lifts the hold
	$(BIN)/python -m infra.rollback --market "$(MARKET)" $(if $(TO),--to "$(TO)") $(if $(RELEASE),--release) $(ARGS)

lineage: setup ## where a forecast comes from: make lineage CUSTOMER=17850 MARKET=uk
	$(BIN)/python -m infra.lineage --customer "$(CUSTOMER)" --market "$(MARKET)" $(ARGS)

endpoint: setup ## serve a market's model by an endpoint that costs by the hour, or update it: make endpoint MARKET=uk; OFF=1 removes it
	$(BIN)/python -m infra.endpoint --market "$(MARKET)" $(if $(OFF),--off) $(if $(BAKE),--bake "$(BAKE)") \
	  $(if $(INSTANCE),--instance "$(INSTANCE)") $(if $(INSTANCES),--instances "$(INSTANCES)") $(ARGS)

teardown: ## delete the stack from AWS; what holds data stays and is named
	infra/teardown.sh

forget: export CUSTOMER := $(value CUSTOMER)
forget: setup ## remove a customer from AWS and from later runs, with a proof: make forget CUSTOMER=17850 MARKET=uk
	@MARKET=$(MARKET) STACK=$(STACK) REGION=$(REGION) UNDO=$(UNDO) $(BIN)/python -m infra.forget

secrets: .venv-secrets/$(DETECT_SECRETS) ## look for private keys and tokens of known services in what is committed
	git ls-files -z | xargs -0 .venv-secrets/bin/detect-secrets-hook $(addprefix --disable-plugin ,$(GUESSES))

.venv-secrets/$(DETECT_SECRETS):
	test -x .venv-secrets/bin/python || $(PYTHON) -m venv .venv-secrets
	.venv-secrets/bin/pip install --quiet detect-secrets==$(DETECT_SECRETS)
	touch $@

checkov: .venv-checkov/$(CHECKOV) ## scan infra/template.yaml for what is unsafe
	.venv-checkov/bin/checkov --config-file infra/checkov.yaml --file infra/template.yaml --framework cloudformation --skip-download --compact --quiet

.venv-checkov/$(CHECKOV):
	test -x .venv-checkov/bin/python || $(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/pip install --quiet checkov==$(CHECKOV)
	touch $@
