# Everything starts here: `make demo` and `make test` make their own environment first.
PYTHON ?= python3
VENV ?= .venv
READY := $(VENV)/.ready
BIN := $(VENV)/bin

.PHONY: help setup demo test test-all lint format docs bench clean

help:
	@echo "make demo    synthesise three small corpora and run the whole chain to an HTML report"
	@echo "make test    run the tests (on real corpora too, where EMOSET_CORPORA names their folder)"
	@echo "make test-all  the slow ones too: kills by the dozen, the papers' plans, several processes"
	@echo "make lint    ruff and mypy"
	@echo "make docs    the docs as a site, in site/"
	@echo "make bench   measure speed; see benchmarks/"
	@echo "make clean   remove the environment and what the demo made"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "emoset needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/emoset demo --workspace emoset-demo

test: $(READY)
	$(BIN)/python -m pytest -n auto

test-all: $(READY)
	$(BIN)/python -m pytest -n auto -m "slow or not slow"

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(READY)
	$(BIN)/python benchmarks/run_all.py

clean:
	rm -rf $(VENV) emoset-demo site
