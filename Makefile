# Everything from a fresh clone with only Python 3.11 and pip: every target first makes sure .venv is what the lock says.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := $(sort $(dir $(wildcard core/pyproject.toml plugins/*/pyproject.toml tests/plugins/*/pyproject.toml)))
STAMP := $(VENV)/.bootstrapped
SOURCES := core plugins tests benchmarks

.PHONY: help demo test check format bench lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

# The stamp holds what was installed, so a checkout of another lock, or a new plugin folder, installs again and nothing else does.
$(STAMP): requirements.lock $(addsuffix pyproject.toml,$(DISTRIBUTIONS))
	@test -x $(BIN)/python || $$(command -v $(PYTHON) || command -v python3) -m venv $(VENV)
	@echo "Installing the pinned packages into $(VENV) …"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ./,$(DISTRIBUTIONS))
	@touch $@

demo: $(STAMP) ## two districts with different plugins, filled and served; DEMO_ARGS='--no-serve --json FILE'
	@$(BIN)/gongyu demo $(DEMO_ARGS)

test: $(STAMP) ## the whole test suite on a real PostgreSQL; TEST_ARGS='-k something'
	@$(BIN)/python -m pytest -n auto --dist worksteal $(TEST_ARGS)

check: $(STAMP) ## what must be green before a push: format, lint, types, house laws, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(foreach place,$(DISTRIBUTIONS) tests/*.py benchmarks,$(BIN)/mypy --no-error-summary $(place) &&) true
	@$(BIN)/lint-imports
	@$(BIN)/python -m gongyu.testing.guard
	@$(BIN)/python -m pytest -n auto --dist worksteal $(TEST_ARGS)

format: $(STAMP) ## put the code into the house format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --exit-zero .

bench: $(STAMP) ## how fast, as ratios to a limit in the same run (by hand; never asserted); BENCH='name …'
	@$(BIN)/python -m benchmarks $(BENCH)

# Our own distributions are no packages of a registry: only what they need from others goes into the lock.
lock: $(STAMP) ## pin the dependencies anew, with hashes and without index addresses
	@$(BIN)/python -c 'import sys, tomllib; \
	read = [tomllib.load(open(file, "rb")) for file in sys.argv[1:]]; \
	needs = [need for t in read for need in t.get("project", {}).get("dependencies", []) + t.get("dependency-groups", {}).get("dev", [])]; \
	print("\n".join(need for need in needs if not need.startswith("gongyu")))' pyproject.toml $(addsuffix pyproject.toml,$(DISTRIBUTIONS)) \
	| $(BIN)/uv pip compile - --quiet $(LOCK_ARGS) --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements.lock

clean: ## remove the environment and what the tools left (never ./var, where data lives)
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
