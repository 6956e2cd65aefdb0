# Everything happens in .venv, which is made when it is missing or older than the lock files.
# Debian's own where it will do: the service is going to run on it, and it is built with optimisation.
SUITS = import ensurepip, os, sys, sysconfig; sys.version_info < (3, 11) or print(sys.executable if os.path.exists(sysconfig.get_path("include") + "/Python.h") else "")
PYTHON ?= $(firstword $(foreach one,/usr/bin/python3 python3,$(shell $(one) -c '$(SUITS)' 2>/dev/null)) python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TESTS ?=
JUDGES ?=

# The modules that are compiled: one list, for setup.py and for here.
HEART := $(shell sed -n '/^compiled = \[/,/^\]/s/^ *"\(.*\)",$$/\1/p' pyproject.toml)

.PHONY: help run test test-pure judges coverage lint format bench pure lock clean
.DELETE_ON_ERROR:

help:
	@echo "make run       serve etc/fe.ini with sample back-ends until Ctrl-C"
	@echo "make test      all tests; TESTS=\"tests.policy tests.wire\" for a part"
	@echo "make test-pure the same without the compiled modules"
	@echo "make lint      all checks"
	@echo "make format    lay the code out"
	@echo "make coverage  which lines and branches the tests reach"
	@echo "make judges    other projects' suites, with and without exfront"
	@echo "make bench     measure against nginx and Apache"
	@echo "make pure      remove the compiled modules"
	@echo "make lock      renew the lock files"
	@echo "make clean     remove everything that was made"

$(VENV)/run.stamp: requirements.txt requirements-build.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "exfront needs Python 3.11 or later: make PYTHON=python3.11 …"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --require-hashes --requirement requirements.txt --requirement requirements-build.txt
	EXFRONT_PURE=1 $(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.txt
	$(PIP) install --require-hashes --requirement requirements-dev.txt
	@touch $@

# Compiled beside their sources, and from what the sources are now. Without a C compiler nothing is made, and asked for again.
build/heart.stamp: $(VENV)/run.stamp $(HEART)
	@mkdir -p build && touch build/begun
	@rm -f exfront__mypyc*.so; find exfront -name '*.so' -delete
	@echo "Compiling the heart: half a minute"
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@for whole in exfront__mypyc*.so; do if test -e "$$whole"; then touch -r build/begun "$$whole" $@; fi; done

run: $(VENV)/run.stamp build/heart.stamp
	@etc/demo $(BIN)

# TESTS="tests.policy" runs a part.
test: $(VENV)/dev.stamp build/heart.stamp
	@tests/install-debian-packages
	@$(BIN)/python -m tests.run $(TESTS)

# In a copy that holds no compiled module.
PURE = rm -rf build/pure && mkdir -p build/pure && \
	tar -c --exclude='./.*' --exclude=./build --exclude='*.so' --exclude=__pycache__ . | tar -x -C build/pure && \
	cd build/pure && PYTHONPATH=$(CURDIR)/build/pure

test-pure: $(VENV)/dev.stamp
	@tests/install-debian-packages
	@$(PURE) $(CURDIR)/$(BIN)/python -m tests.run $(TESTS)

coverage: $(VENV)/dev.stamp
	@$(PURE) $(CURDIR)/$(BIN)/coverage run -m tests --temp-directory="$$(mktemp -d)/trial" $(or $(TESTS),tests) >/dev/null; $(CURDIR)/$(BIN)/coverage report --skip-covered --show-missing

pure:
	rm -f build/heart.stamp exfront__mypyc*.so
	find exfront -name '*.so' -delete
	@echo "exfront runs as pure Python now; make run, make test and make bench compile it again."

# Other projects' suites and clients, with and without exfront between; JUDGES="litmus gunicorn" holds a part.
judges: $(VENV)/dev.stamp build/heart.stamp
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

bench: $(VENV)/dev.stamp build/heart.stamp
	@$(BIN)/python -m bench

# The lists are for every Python from 3.11 on and for every machine; that for development holds the others.
lock: $(VENV)/dev.stamp
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade --extra dev -o requirements-dev.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --constraint requirements-dev.txt -o requirements.txt pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --constraint requirements-dev.txt --group build -o requirements-build.txt

clean:
	find exfront -name '*.so' -delete
	rm -rf $(VENV) exfront__mypyc*.so build *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis _trial_temp* .coverage*
