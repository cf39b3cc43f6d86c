# What a person does with this repository. `make` alone lists it.
# Set-up needs python3 (3.11 or later) and pip, nothing else, and happens by itself in .venv.

PYTHON ?= python3
VENV ?= .venv
OLDEST ?= .venv-oldest
WORKERS ?= 2
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TEST_OLDEST := $(OLDEST)/bin/python -m pytest -q -n $(WORKERS)
BENCHMARKS := benchmarks/cli_startup.py
TRAINING := benchmarks/rebuild_miniature_trunk.py benchmarks/pretrain_trunk.py benchmarks/demo_seeds.py  # up to an hour each, and not part of `make bench`

export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-oldest test-adapterhub check fix bench settings miniature

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY)  ## train, stack, fuse and score adapters on the embedded miniature, offline
	env -u OMP_NUM_THREADS $(BIN)/adapter-stilts demo

test: $(READY)  ## run the tests: offline, on CPU, warnings as errors
	$(BIN)/pytest -q -n $(WORKERS)

test-oldest: $(OLDEST)/.ready  ## run the tests of encoder, training, sharing and tokenizer on the oldest versions allowed
	$(TEST_OLDEST) tests/encoder tests/training tests/sharing --ignore-glob='*/test_library*.py'

test-adapterhub: $(OLDEST)/.ready  ## compare with the library `adapters` and the scripts that only transformers 4 has
	$(OLDEST)/bin/python -W ignore -c "from adapters import init"
	$(TEST_OLDEST) tests/encoder/test_library.py tests/encoder/test_library_modules.py \
	  tests/convert/test_adapterhub.py tests/metrics/test_oracles.py tests/metrics/test_word_answers.py tests/formats/test_protocols.py

check: $(READY)  ## ruff, mypy --strict and the floors
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(READY)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .

bench: $(READY)  ## run the benchmarks that need no data; results are appended to benchmarks/results/
	@for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

settings: $(READY)  ## write docs/settings.md from the schema
	$(BIN)/python -c "from adapter_stilts.config.explain import page; print(page(), end='')" > docs/settings.md

miniature: $(READY)  ## rebuild the embedded tiny XLM-R from its grammars
	env -u OMP_NUM_THREADS $(BIN)/python benchmarks/rebuild_miniature_trunk.py

# torch comes first and pinned, so that the resolver does not reach for a build with gigabytes of CUDA packages.
# Where the venv module has no ensurepip (Debian without python3-venv), the system's pip installs into the environment.
%/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "adapter-stilts needs Python 3.11 or later: make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $*/bin/python || $(PYTHON) -m venv $* || $(PYTHON) -m venv --clear --without-pip $*
	$(PYTHON) -m pip --python $*/bin/python install --quiet torch==2.13.0
	$(PYTHON) -m pip --python $*/bin/python install --quiet -e ".[dev$(EXTRA)]" $(LIMITS)
	@touch $@

# The oldest version of everything we import, with the extra [adapterhub], whose transformers is the oldest too.
$(OLDEST)/.ready: EXTRA := ,adapterhub
$(OLDEST)/.ready: LIMITS = --constraint $(OLDEST)/oldest.txt
$(OLDEST)/.ready: $(OLDEST)/oldest.txt
$(OLDEST)/oldest.txt: pyproject.toml
	@mkdir -p $(OLDEST)
	sed -n '/^dependencies/,/^]/s/^  "\([a-z_-]*\)>=\([0-9.]*\).*/\1==\2/p' pyproject.toml > $@
