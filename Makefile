# Every target installs what it needs into .venv: only Python 3.11 or newer and a package index
# have to be there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Processes that run tests at the same time.
JOBS ?= 2
PYTEST := $(BIN)/pytest --numprocesses=$(JOBS) --dist=loadgroup

# The oldest packages that are supported.
OLDEST_VENV := .venv-oldest
OLDEST_PYTHON ?= $(or $(shell python3.12 -c 'import sys; print(sys.executable)' 2>/dev/null),python3)

# The newest packages, some of which need a newer interpreter.
NEWEST_VENV := .venv-newest
NEWEST_PYTHON ?= $(OLDEST_PYTHON)

# The packages that docs/using_the_image_set.md shows loaders for.
LOADERS_VENV := .venv-loaders
LOADERS := fiftyone mmsegmentation mmengine 'mmcv-lite<2.2' ftfy regex

.DEFAULT_GOAL := help
.PHONY: help install demo test lint types tests gpu docs coverage test-oldest test-newest loaders faults long hooks clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Install spadepis and what its tests need into .venv.

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[test]'
	touch $@

demo: $(INSTALLED) ## Make an image set from the inputs that come with spadepis.
	$(BIN)/spadepis demo

test: lint types tests ## Run all checks: format, lint, types and tests.

lint: $(INSTALLED) ## Check format and style of the code.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED) ## Check the types.
	$(BIN)/mypy

tests: $(INSTALLED) ## Run the tests; JOBS=2 of them at the same time.
	$(PYTEST)

gpu: $(INSTALLED) ## Check the arithmetic and the speed of a GPU; on a CPU in a reduced form.
	$(BIN)/python -m tools.gpu_check

docs: $(INSTALLED) ## Build the documentation in build/site/ and check its links.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

coverage: $(INSTALLED) ## Run the tests and write htmlcov/: which lines they run.
	$(PYTEST) --cov --cov-report=html --cov-report=term:skip-covered

test-oldest: $(OLDEST_VENV)/.installed ## Run the tests with the oldest versions that are supported.
	$(OLDEST_VENV)/bin/pytest --numprocesses=$(JOBS) --dist=loadgroup

$(OLDEST_VENV)/.installed: pyproject.toml $(INSTALLED)
	$(BIN)/uv venv --quiet --clear --python $(OLDEST_PYTHON) $(OLDEST_VENV)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(OLDEST_VENV)/bin/python --resolution lowest-direct --editable '.[test]'
	touch $@

test-newest: $(NEWEST_VENV)/.installed ## Run the tests with the newest versions there are.
	$(NEWEST_VENV)/bin/pytest --numprocesses=$(JOBS) --dist=loadgroup

$(NEWEST_VENV)/.installed: pyproject.toml $(INSTALLED)
	$(BIN)/uv venv --quiet --clear --python $(NEWEST_PYTHON) $(NEWEST_VENV)
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(NEWEST_VENV)/bin/python --editable '.[test]'
	touch $@

loaders: $(LOADERS_VENV)/.installed ## Run the loaders with MMSegmentation and FiftyOne themselves.
	$(LOADERS_VENV)/bin/pytest -m loaders -rs tests/dataset/image_set/test_loaders.py

$(LOADERS_VENV)/.installed: pyproject.toml $(INSTALLED)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOADERS_VENV)
	$(BIN)/uv pip install --quiet --python $(LOADERS_VENV)/bin/python --editable '.[test]' $(LOADERS)
	touch $@

faults: $(INSTALLED) ## Kill jobs and feed them damaged files, for many minutes.
	$(BIN)/pytest -m faults --capture=no --timeout=0

long: $(INSTALLED) ## Run the tests that take many minutes.
	$(BIN)/pytest -m long --capture=no --timeout=0

hooks: $(INSTALLED) ## Check format, style and types before every commit.
	$(BIN)/pre-commit install

clean: ## Remove the environments.
	rm -rf $(VENV) $(OLDEST_VENV) $(NEWEST_VENV) $(LOADERS_VENV)
