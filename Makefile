# make demo   is this train/test split fair? the main job, on data that ships here
# make test   style, types, import rules and the default test suite
# make docs   the site, into site/
#
# All of them need Python 3.11 or newer, make and a package index that pip reaches; they set up what they use.
#
# One environment in .venv, which grows: the demo installs the library and what its reports need (seconds), the tests
# add torch, JAX and the tools (minutes, once). One and not several, because torch alone is larger than all the rest.
# A stamp per step, older than pyproject.toml or absent, says what is still to do; an interrupted step is repeated.

PYTHON ?= python3
VENV ?= .venv
# Installed before anything that asks for some torch, so that pip settles on this build. Where the index offers builds
# for several accelerators, pip's own options (PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS) say which one it finds.
TORCH ?= torch==2.13.0
# One process for every core, each of them on one thread, so that they do not wait for each other.
PYTEST_ARGS ?= -n auto
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.PHONY: demo test test-all lint docs bench format clean

demo: $(VENV)/.with-tables
	$(BIN)/python examples/split.py

# pytest comes last: its closing line is the verdict of the whole run.
test: lint
	$(ONE_THREAD) $(BIN)/python -m pytest $(PYTEST_ARGS)

test-all: lint
	$(ONE_THREAD) HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -m "slow or not slow" $(PYTEST_ARGS)

lint: $(VENV)/.with-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo

docs: $(VENV)/.with-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.with-tests
	$(BIN)/python benchmarks/discrete.py
	$(BIN)/python benchmarks/compare.py
	$(BIN)/python benchmarks/peer_numerics.py

format: $(VENV)/.with-tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf build dist site reports .pytest_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("kullback needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.with-tables: $(VENV)/.created pyproject.toml
	$(PIP) -e '.[tables]'
	touch $@

$(VENV)/.with-tests: $(VENV)/.created pyproject.toml
	$(PIP) $(TORCH)
	$(PIP) $(TORCH) -e '.[test]'
	touch $@ $(VENV)/.with-tables $(VENV)/.with-docs

$(VENV)/.with-docs: $(VENV)/.created pyproject.toml
	$(PIP) -e '.[tables,docs]'
	touch $@
