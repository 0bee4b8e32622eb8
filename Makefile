# Everything a newcomer needs: `make run` and `make test`. Needs Python 3.11+ and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help install run test proof conformance check docs format up down bench clean

PYTHON ?= python3
PORT ?= 4566
EMULATOR ?= localstack
# Each test process has an emulator of its own; much of a test's time is waiting.
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin

# `make` never reaches for AWS: whatever the shell is set up for, these commands see the emulator.
LOCAL := env -u AWS_PROFILE -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN \
	-u SQSWARM_STAGE -u SQSWARM_PRINCIPAL \
	AWS_ENDPOINT_URL=http://127.0.0.1:$(PORT) AWS_DEFAULT_REGION=us-east-1 AWS_REGION=us-east-1

help: ## Show this help
	@echo "sqswarm: swarms of AI agents on SNS, SQS, Lambda and DynamoDB"
	@echo
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo
	@echo "  Options: PYTHON=$(PYTHON) PORT=$(PORT) EMULATOR=$(EMULATOR) JOBS=$(JOBS)"

# Written last, so that an interrupted installation is done again.
$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $$($(PYTHON) --version) is too old; sqswarm needs Python 3.11 or newer" >&2; \
		echo "  fix: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "installing into $(VENV) (once; about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode -e '.[dev]'
	@$(BIN)/python -m compileall -q src/sqswarm/__init__.py schemas backends dispatcher workers infra testing
	@touch $@

install: $(VENV)/installed ## Install sqswarm and its tools into .venv

run: $(VENV)/installed ## Start the local AWS, deploy, and review this project's own dependencies
	@$(LOCAL) $(BIN)/sqswarm up --emulator $(EMULATOR) --port $(PORT)
	@$(LOCAL) $(BIN)/sqswarm deploy
	@$(LOCAL) $(BIN)/python examples/01_dependency_review/run.py $(ARGS)

# tests/conftest.py says which files run in one process: those that use one stage.
PYTEST := $(BIN)/pytest --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder --emulator=$(EMULATOR)

test: $(VENV)/installed ## Test every feature, against an emulator of the tests' own
	@$(PYTEST) $(ARGS)

# The longest first; pytest's closing line last.
proof: $(VENV)/installed ## Prove the promises: 20,000 storms, a soak of 10,000 in ruin, kills, MCP (an hour)
	@$(BIN)/python tests/simulation --storms 20000 --jobs $(JOBS)
	@$(BIN)/python tests/simulation --storms 800 --workload events --jobs $(JOBS)
	@$(BIN)/python -m benchmarks.soak --tasks 10000 --faults ruin
	@$(PYTEST) -m proof $(ARGS)

conformance: $(VENV)/installed ## Run the official MCP suite against both hostings (needs npm)
	@$(BIN)/python tests/conformance/install.py
	@SQSWARM_CONFORMANCE=required $(BIN)/pytest -m "" tests/conformance tests/mcp_server $(ARGS)

# checkov has an environment of its own: what it pins would hold ours back.
CHECKOV := $(BIN)/uv tool run --quiet --python $(BIN)/python checkov==3.3.30

check: $(VENV)/installed ## Lint, types, import directions, CloudFormation, known vulnerabilities
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive \
		schemas backends dispatcher workers infra testing localstack/plugin/src
	@$(LOCAL) $(BIN)/sqswarm synth > $(VENV)/template.json
	@$(BIN)/python tests/infra/infra_specs.py > $(VENV)/everything.json
	@$(BIN)/cfn-lint $(VENV)/template.json $(VENV)/everything.json
	@$(CHECKOV) --config-file infra/checkov.yaml -f $(VENV)/everything.json
	@$(BIN)/python tests/packaging/audit.py
	@echo "check: clean"

docs: $(VENV)/installed ## Build the site of the documents into build/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "docs: build/site/index.html; diagrams and search need a server: $(BIN)/python -m http.server --directory build/site"

format: $(VENV)/installed ## Format and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

up: $(VENV)/installed ## Start the local AWS in the background
	@$(BIN)/sqswarm up --emulator $(EMULATOR) --port $(PORT)

down: $(VENV)/installed ## Stop every local AWS, and whatever a crash left behind
	@$(BIN)/sqswarm down --all

bench: $(VENV)/installed ## Measure, side by side with a baseline
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove what was built here (.venv, caches, reports)
	rm -rf $(VENV) build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis .coverage report.html report.json
	rm -rf .conformance
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
