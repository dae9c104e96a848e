# `make help` prints the verbs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo up test test-fast check format schemas bench chaos lock clean

help:  ## print the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements.lock pyproject.toml
	@echo "Preparing $(VENV) (once; the first time downloads about 150 MB)…"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Jalons needs Python 3.11 or newer; name one with PYTHON=python3.12 make …")'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(VENV)/.ready  ## prepare .venv with everything

demo: setup  ## play one person's way through the network on real servers (ARGS="--exit --json")
	@$(BIN)/jalons demo $(ARGS)

up: setup  ## run the hub in the foreground, its data in ./data
	@$(BIN)/jalons up --data data $(ARGS)

test: setup  ## every test, on real Kafka, PostgreSQL and SMTP
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: setup  ## rules and catalogue only: no server, seconds
	@$(BIN)/python -m pytest --numprocesses 2 tests/rules tests/catalogue $(ARGS)

check: setup  ## what CI checks before it tests: format, lint, spelling, types, borders, generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/codespell
	@! git grep -nE '^ *(from [a-z0-9_.]*\._|import [a-z0-9_.]*\._|from (sqlalchemy|psycopg|faust|aiokafka|kafka|fastapi|starlette|uvicorn|alembic|pydantic|httpx)[a-z0-9_.]* import .*\b_)' -- '*.py' \
		|| (echo 'A private part of a library is imported: use its public interface.'; false)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m schemas.generate --check
	@$(BIN)/python docs/generate.py --check

format: setup  ## write the format and the lint's own mends
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

schemas: setup  ## write the JSON Schemas, examples and reference pages again from the code
	@$(BIN)/python -m schemas.generate
	@$(BIN)/python docs/generate.py

bench: setup  ## measure the hub beside plain forms of the same work (10 min; ARGS="--short --json --beside DIR")
	@$(BIN)/python -m bench $(ARGS)

chaos: setup  ## the long storm of kills, stops and rebalances (minutes)
	@$(BIN)/python -m pytest tests/faults --storm-seconds 240 $(ARGS)

lock: setup  ## resolve requirements.lock again (needs the `uv` resolver)
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --all-extras pyproject.toml -o requirements.lock

clean:  ## remove .venv and caches, never data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
