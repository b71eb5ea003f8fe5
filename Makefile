# Everything runs in a virtual environment that these targets make and keep up to date.
# A new user needs Python 3.11 to 3.13, make, and the package index: make train

PYTHON ?= python3
VENV ?= .venv
CONFIG ?= configs/fashion-mnist.yaml
INDEX ?= 0

ifneq ($(words $(CONFIG)),1)
$(error CONFIG='$(CONFIG)': make splits paths at blanks; type cnncli train '$(CONFIG)')
endif
# A config of the same name elsewhere is another run.
NAME := $(basename $(notdir $(CONFIG)))
PLACE := $(filter-out configs/%,$(CONFIG))
RUN := runs/$(NAME)$(if $(PLACE),-$(firstword $(shell printf %s '$(PLACE)' | cksum)))
BIN := $(VENV)/bin
PAGES := README.md $(wildcard docs/*.md)
# Relative, because pip splits the list at blanks; for this environment, whatever the
# user's settings for pip say of others.
export PIP_CONSTRAINT := constraints.txt
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help train evaluate summary plot-model feature-maps smoke \
	test test-slow soak bench check format lint types imports docs docs-check clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile
	@echo "CONFIG=configs/smoke.yaml chooses another experiment than the documented one."

train: | $(VENV)/.runtime ## Train the network of CONFIG into runs/, once; go on if it was stopped
	@if [ -e $(RUN)/state.npz ]; then \
		echo "there is a run in $(RUN); to start over: rm -r $(RUN)"; \
		exec $(BIN)/cnncli train '$(CONFIG)' --out $(RUN) --resume; \
	else \
		exec $(BIN)/cnncli train '$(CONFIG)' --out $(RUN); \
	fi

# Looking at a run trains it if there is none, and never trains over one.
.PRECIOUS: $(RUN)/model.h5
$(RUN)/model.h5:
	@$(MAKE) --no-print-directory train

define note
@if [ '$(CONFIG)' -nt $(RUN)/model.h5 ]; then \
	echo "note: $(CONFIG) is newer than $(RUN); make train says what differs"; fi
endef

evaluate: $(RUN)/model.h5 | $(VENV)/.runtime ## Count what the trained network gets right
	$(note)
	$(BIN)/cnncli evaluate $(RUN) --overwrite

summary: | $(VENV)/.runtime ## Print the network's layers
	$(BIN)/cnncli summary '$(CONFIG)'

plot-model: | $(VENV)/.runtime ## Draw the network's layers
	$(BIN)/cnncli plot-model '$(CONFIG)' --out $(RUN)-layers.png --overwrite

feature-maps: $(RUN)/model.h5 | $(VENV)/.runtime ## Draw what the layers make of test image INDEX
	$(note)
	$(BIN)/cnncli feature-maps $(RUN) --index '$(INDEX)' --overwrite

smoke: | $(VENV)/.runtime ## Train and evaluate a tiny network, in seconds
	$(BIN)/cnncli train configs/smoke.yaml --overwrite
	$(BIN)/cnncli evaluate runs/smoke --overwrite --fail-under 0.5

test: | $(VENV)/.dev ## Run the fast tests, in two processes
	$(BIN)/pytest -m "not slow" -n 2 --dist loadfile

test-slow: | $(VENV)/.dev ## Run the slow tests: real training, a wheel in a clean environment
	$(BIN)/pytest -m slow

soak: | $(VENV)/.dev ## Kill runs and damage files hundreds of times: 10 minutes
	SOAK=10 $(BIN)/pytest -m slow -s -q tests/soak tests/test_mutations.py

bench: | $(VENV)/.runtime build/bench/venv/.installed ## Time it against PyTorch: 9 minutes (BENCH=--quick: 3)
	$(BIN)/python -m benchmarks $(BENCH)

check: format-check lint types imports docs-check test ## All that must pass before a commit

format: | $(VENV)/.dev ## Format the code
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

format-check: | $(VENV)/.dev
	$(BIN)/ruff format --check

lint: | $(VENV)/.dev ## Look for mistakes
	$(BIN)/ruff check

types: | $(VENV)/.dev ## Check the types
	$(BIN)/mypy

imports: | $(VENV)/.dev ## Check that the layers of the code import downwards only
	$(BIN)/lint-imports

docs: | $(VENV)/.dev ## Write the generated parts of the README and docs/ anew
	$(BIN)/cnncli schema -o cnncli/config/config.schema.json --overwrite
	$(BIN)/python -m cogapp -r -I . $(PAGES)

docs-check: | $(VENV)/.dev
	$(BIN)/python -m cogapp --check --diff -I . $(PAGES)

clean: ## Remove the environment and all caches; runs/ stays
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	rm -rf .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit( \
		f"cnncli needs Python 3.11 to 3.13; $(PYTHON) is {sys.version.split()[0]}; " \
		"choose another with make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: pyproject.toml constraints.txt | $(VENV)/.python
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.python
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $(VENV)/.runtime $@

# PyTorch is measured, never needed: it has an environment of its own.
build/bench/venv/.installed: benchmarks/requirements.txt | $(VENV)/.python
	$(BIN)/python -m venv --clear build/bench/venv
	build/bench/venv/bin/pip install --quiet -r $<
	@touch $@
