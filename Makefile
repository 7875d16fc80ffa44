# Two commands: `make run` starts everything, `make test` tests everything.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint bench faults pictures hashes clean

run: .venv/.service
	@exec $(BIN)/python -m workers.dev.launch

# Three at a time, for most tests wait for something; those that measure time or kill processes come after, with the machine to themselves.
test: .venv/.tests
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m "not alone"
	@$(BIN)/python -m pytest -m alone

lint: .venv/.tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: .venv/.tests
	@$(BIN)/python -m tests.benchmarks

faults: .venv/.tests
	@$(BIN)/python -m tests.faults
	@$(BIN)/python -m tests.faults.leaving

pictures: .venv/.tests
	@$(BIN)/python -m tests.pictures

hashes: .venv/.tests
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

clean:
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache
