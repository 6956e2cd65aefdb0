# Everything happens in .venv, which is made when it is missing or older than the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TESTS ?=
JUDGES ?=

.PHONY: help run test judges coverage lint format bench lock clean
.DELETE_ON_ERROR:

help:
	@echo "make run       serve etc/fe.ini with sample back-ends until Ctrl-C"
	@echo "make test      all tests; TESTS=\"tests.policy tests.wire\" for a part"
	@echo "make lint      all checks"
	@echo "make format    lay the code out"
	@echo "make coverage  which lines and branches the tests reach"
	@echo "make judges    other projects' suites, with and without exfront"
	@echo "make bench     measure against nginx and Apache"
	@echo "make lock      renew the lock files"
	@echo "make clean     remove everything that was made"

$(VENV)/run.stamp: requirements.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "exfront needs Python 3.11 or later: make PYTHON=python3.11 …"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --requirement requirements.txt
	$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@

run: $(VENV)/run.stamp
	@etc/demo $(BIN)

# TESTS="tests.policy" runs a part.
test: $(VENV)/dev.stamp
	@tests/install-debian-packages
	@$(BIN)/python -m tests.run $(TESTS)

coverage: $(VENV)/dev.stamp
	@$(BIN)/coverage run -m tests --temp-directory="$$(mktemp -d)/trial" $(or $(TESTS),tests) >/dev/null; $(BIN)/coverage report --skip-covered --show-missing

# Other projects' suites and clients, with and without exfront between; JUDGES="litmus gunicorn" holds a part.
judges: $(VENV)/dev.stamp
	@tests/install-debian-packages
	@$(BIN)/python -m tests.judges $(JUDGES)

lint: $(VENV)/dev.stamp
	@status=0; \
	echo "ruff check";        $(BIN)/ruff check --quiet --output-format concise . || status=1; \
	echo "ruff format";       $(BIN)/ruff format --check --output-format concise . || status=1; \
	echo "mypy";              $(BIN)/mypy || status=1; \
	echo "import-linter";     $(BIN)/lint-imports --no-logo >$(VENV)/imports.txt 2>&1 || { cat $(VENV)/imports.txt; status=1; }; \
	echo "module size";       find exfront -name '*.py' -exec wc -l {} + | awk '$$2 != "total" && $$1 > 400 {print $$2 ": " $$1 " lines, 400 is the most"; long = 1} END {exit long}' || status=1; \
	exit $$status

format: $(VENV)/dev.stamp
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m bench

# Both lists are for every Python from 3.11 on and for every machine; the second holds the first.
lock: $(VENV)/dev.stamp
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade --extra dev -o requirements-dev.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --constraint requirements-dev.txt -o requirements.txt pyproject.toml

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis _trial_temp* .coverage*
