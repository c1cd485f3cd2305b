# make demo | test | install | bench | lock   (README says what each is for)
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help install install-dev system-peers demo test check bench soak backlog lines crash torn sbom lock clean

help:
	@echo "make demo     the main job on simulated instruments, start to end"
	@echo "make test     every check and test"
	@echo "make install  only the set-up: leaves $(BIN)/tera"
	@echo "make sbom     what it consists of, for others to check: sbom.cdx.json"
	@echo "make bench    measured speed, as ratios side by side"
	@echo "make backlog  the broker away for 100,000 verdicts, then drained: about seven minutes"
	@echo "make lines    every kind of line pulled and returned 100 times: about a minute"
	@echo "make crash    everything killed at random instants, 1,070 times: about five minutes"
	@echo "make torn     the station's files cut or corrupted at 1,000 places: about two minutes"
	@echo "make soak     50 benches for an hour: memory, descriptors, and whether all arrived"

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it with PYTHON=..." >&2; exit 2; }
	@PYTHON="$(PYTHON)" VENV="$(VENV)" sh .ci/make-venv

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked dependencies ..."
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes --requirement requirements-dev.lock
	@touch $@

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

system-peers:
	@sh .ci/system-peers

demo: install
	@$(BIN)/tera demo

check: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/dependencies.py audit requirements.lock requirements-dev.lock

test: install-dev system-peers check
	@sh .ci/run-tests $(BIN)/pytest

bench: install-dev system-peers
	$(BIN)/python -m benchmarks

backlog: install-dev system-peers
	$(BIN)/python -m benchmarks.bench_delivery --verdicts 100000 --rounds 1

lines: install-dev
	$(BIN)/python -m tests.pull_lines --times 100

# SEED=N rolls the same dice again.
crash: install-dev system-peers
	$(BIN)/python -m tests.crash $(if $(SEED),--seed $(SEED))

torn: install-dev
	$(BIN)/python -m tests.torn $(if $(SEED),--seed $(SEED))

soak: install-dev system-peers
	$(BIN)/python -m tests.soak --minutes 60

# What the program consists of, as CycloneDX JSON.
sbom: install-dev
	$(BIN)/python .ci/dependencies.py sbom requirements.lock sbom.cdx.json

# The locks carry hashes and no addresses; uv resolves for every Python from 3.11 on.
lock: $(VENV)/bin/python
	$(PIP) install uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet --group build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --quiet pyproject.toml --group dev -o requirements-dev.lock

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis data
