# One table of what can be done here: `make` prints the lines that carry two hashes.
SHELL := /bin/bash
PYTHON ?= $(or $(shell command -v python3.11 2>/dev/null),python3)
# Where torch's CPU build comes from; empty where pip is told of a folder of wheels.
TORCH_INDEX_URL ?= $(if $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null)$(PIP_FIND_LINKS),,https://download.pytorch.org/whl/cpu)
DOCKER_BUILD ?= docker build -t
IMAGE ?= ordergap
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup run test check image e2e bench

help:
	@sed -n 's/^\([a-z0-9]*\):.*## /\1	/p' $(MAKEFILE_LIST)

setup: .venv/ready ## make .venv with everything that the targets below need

.venv/ready: requirements.txt requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet $(addprefix --extra-index-url ,$(TORCH_INDEX_URL)) --constraint requirements.txt torch
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@

run: setup ## train, predict and serve on CDNOW, or on your file: make run DATA=orders.csv ARGS="--date_column Day"
	$(BIN)/python local/quickstart.py $(DATA) $(ARGS)

test: setup ## run every test that this machine can run
	$(BIN)/pytest -n auto --dist loadgroup

check: setup ## lint, format, types and import laws
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

image: ## build the image `ordergap`, tagged `sagemaker-training` too
	$(DOCKER_BUILD) $(IMAGE) .
	docker tag $(IMAGE) sagemaker-training

e2e: setup ## test the built image; fails without a Docker engine or an image of this checkout
	ORDERGAP_IMAGE=$(IMAGE) $(BIN)/pytest -m docker tests/e2e

bench: setup ## measure speed, each figure beside its baseline
	$(BIN)/python -m benchmarks
