# Two commands for everybody: `make demo` and `make test`. Each makes its own virtual environment.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help venv demo test lint types layers bench bench-drift serve clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

venv: $(READY) ## the virtual environment in .venv with everything the tests need

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "MonitorX needs Python 3.11 or later; '$(PYTHON)' is older. Try: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: venv ## three unchanged scripts, a fault, an alert: the whole way in a minute
	$(BIN)/monitorx demo $(DEMO_ARGS)

test: venv ## everything that this machine can run, with coverage
	$(BIN)/coverage erase
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(if $(MIN_COVERAGE),--cov-fail-under=$(MIN_COVERAGE)) $(TEST_ARGS)

lint: venv ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv ## mypy, strict
	$(BIN)/mypy

layers: venv ## import-linter: no step reaches back up
	$(BIN)/lint-imports

bench-drift: venv ## drift: false alarms on clean windows, shifts that are found
	$(BIN)/python -m tests.bench.drift

bench: venv ## the figures of docs/performance.md
	$(BIN)/python -m tests.bench

serve: venv ## the backend on its defaults
	$(BIN)/monitorx serve

clean: ## forget the virtual environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*
