# `make demo` reads a scan, `make test` runs the tests; each sets up what it needs first.
VENV := .venv
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := $(VENV)/Scripts
else
PYTHON ?= python3
BIN := $(VENV)/bin
endif
OUT ?= out
FORM ?=

.PHONY: help setup test test-slow demo page docs bench format lock clean

help:  ## What can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed  ## A virtual environment with the package, all extras and the development tools

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "Setting up $(VENV): about 7 GB on disk, some minutes; each line below is a package on its way."
	$(BIN)/pip install --disable-pip-version-check --progress-bar on -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --no-deps -e .
	@touch $@

test: setup  ## The tests, offline (about 12 minutes on 2 cores)
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: setup  ## Fuzzing, kills and load
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m slow --timeout 1200

demo: setup  ## Read a phantom scan: a reading and a picture in $(OUT)/demo
	$(BIN)/hf-mri demo --output $(OUT)/demo

page: setup  ## The web page on this machine
	$(BIN)/hf-mri page

docs: setup  ## The documentation with API pages, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: setup  ## The benchmarks and benchmarks/RESULTS.md (about 10 minutes on a quiet machine; FORM=--long, hours)
	@for name in inference training budget serving growth archive; do echo "== $$name"; $(BIN)/python benchmarks/$$name.py $(FORM) || exit 1; done
	$(BIN)/python benchmarks/tables.py

format: setup  ## Format and lint
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock:  ## Write requirements.lock anew from pyproject.toml, in a fresh environment
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/pip install --quiet -e '.[all,bench,dev]'
	$(VENV)-lock/bin/python -m hf_mri.hub.requirements > requirements.lock
	rm -rf $(VENV)-lock

clean:  ## Remove what was built, keep what was measured
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache
