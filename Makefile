# Two commands: `make run` starts everything, `make test` tests everything.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := run
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test lint bench faults pictures hashes clean

help:  ## what can be made
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /  make \1|/' | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

run: .venv/.service  ## starts everything on this machine, and says where to go
	@exec $(BIN)/python -m workers.dev.launch

# Three at a time, for most tests wait for something; those that measure time or kill processes come after, with the machine to themselves.
test: .venv/.tests  ## tests everything, with real parts
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m "not alone"
	@$(BIN)/python -m pytest -m alone

lint: .venv/.tests  ## style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: .venv/.tests  ## measures against peers; writes var/bench.json
	@$(BIN)/python -m tests.benchmarks

faults: .venv/.tests  ## kills sending workers at random, and counts
	@$(BIN)/python -m tests.faults
	@$(BIN)/python -m tests.faults.leaving

pictures: .venv/.tests  ## takes the pictures of README and docs anew
	@$(BIN)/python -m tests.pictures

hashes: .venv/.tests  ## writes the hash of every pinned file
	@$(BIN)/python -m tests.hashes

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Undersigned needs Python 3.11 or newer; this is %s. Set PYTHON=…" % sys.version.split()[0])'
	@$(PYTHON) -m venv .venv || { echo "The folder $(CURDIR) cannot be written, or python3-venv is missing." >&2; exit 1; }

.venv/.service: requirements.txt .venv/bin/python
	@echo "Installing what the service needs …"
	@$(BIN)/pip install --quiet --requirement requirements.txt
	@touch $@

.venv/.tests: tests/requirements.txt .venv/.service
	@echo "Installing what the tests need …"
	@$(BIN)/pip install --quiet --requirement tests/requirements.txt
	@touch $@

clean:  ## removes .venv, var and caches
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache
