# Everything runs from a clean clone with Python >= 3.11 and make.
#
#   make run                        the whole system on this machine, with a live demo
#   make run ARGS="--for 60 --json" the same, for a minute, ending with one line of figures
#   make test                       every check and test
#   make fault ARGS="--events 20000 --kills 10 --seed 7 --json"

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

RUNTIME := $(VENV)/.runtime-ready
DEV := $(VENV)/.dev-ready

.PHONY: help run test lint fault cluster noise bench bench-large soak lock clean scenario

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: Bondwatch needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Each stamp is written last, so an interrupted installation is simply done again.
$(RUNTIME): requirements.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(DEV): requirements-dev.txt $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: $(RUNTIME) ## run the whole system here with a live demo (ARGS="--for 60 --json")
	@$(BIN)/bondwatch demo $(ARGS)

test: $(DEV) lint ## every check and test
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: $(DEV) ## style, types, import order
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fault: $(DEV) ## kill processes at random, count what was lost (ARGS="--source mqtt --kills 10 --json")
	@$(BIN)/python -m tests.fault $(ARGS)

cluster: $(DEV) ## many servers on loopback: kills, growth, a park's uplink cut (ARGS="--cut 120 --kills 20 --json")
	@$(BIN)/python -m tests.cluster $(ARGS)

noise: $(DEV) ## GPS noise near borders: false zone alerts, exits missed (ARGS="--hours 1000 --json")
	@$(BIN)/python -m tests.noise $(ARGS)

scenario: $(DEV) ## play the stories of simulators/scripts, compare every finding (ARGS="s5 --json")
	@$(BIN)/python -m tests.scenario $(ARGS)

bench: $(DEV) ## every benchmark in its short form, figures in bench/results
	@$(BIN)/python -m tests.bench $(ARGS)

bench-large: $(RUNTIME) ## 100 million rows: reading with its plans, CPU an event; needs 40 GB and an hour
	@mkdir -p bench/results
	@$(BIN)/bondwatch bench reading --rows 100000000 --shipments 1000000 --explain bench/results/plans.md
	@$(BIN)/bondwatch bench growth --only rows --rows 10000000 --rounds 1

soak: $(DEV) ## 2,000 events a second for an hour: memory, losses (ARGS="--for 600 --json")
	@$(BIN)/python -m tests.bench.soak $(ARGS)

lock: ## renew the hash-locked requirements (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev --extra archive -c requirements.txt pyproject.toml -o requirements-dev.txt

clean: ## remove what was built and the local data of the demo
	rm -rf $(VENV) var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
