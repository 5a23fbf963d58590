# `make demo` is the road from nothing to a policy on a twin; every target creates .venv itself when it is missing.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
REFEREE := $(VENV)-referee

# Where pip looks for torch besides its own index, e.g. https://download.pytorch.org/whl/cpu for the small CPU build.
TORCH_INDEX ?=
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
TORCH := $(shell sed -n 's/^torch==/torch==/p' constraints.txt)
GL_PACKAGES := libegl1 libegl-mesa0 libgl1-mesa-dri

# Two workers fill two cores only while the libraries inside them do not start threads of their own.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup gl demo test test-all test-referee lint format bench docs clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(STAMP) ## create .venv with the tested versions
	@:

define check_python
@$(PYTHON) -c "" 2>/dev/null || { echo "error: '$(PYTHON)' does not run; name a Python >= 3.11: make PYTHON=/path/to/python3.11"; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "error: $$($(PYTHON) --version 2>&1) is too old; name a Python >= 3.11: make PYTHON=/path/to/python3.11"; exit 1; }
endef

# torch comes first and alone, so that TORCH_INDEX serves nothing else.
$(STAMP): pyproject.toml setup.py constraints.txt
	$(check_python)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { echo "Creating $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing the tested versions into $(VENV) (about a minute, more where torch has to be downloaded)"
	@$(PIP) install -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(TORCH) setuptools
	@$(PIP) install -c constraints.txt --no-build-isolation -e ".[train,deploy,render,dev]"
	@$(MAKE) --no-print-directory gl
	@touch $@

# Pictures need OpenGL; everything else works without it, so nothing here may fail.
gl:
	@if $(BIN)/python -m shopfloor.doctor --can-render; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing software OpenGL for pictures: $(GL_PACKAGES)"; \
	  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $(GL_PACKAGES); } \
	    </dev/null >$(VENV)/apt.log 2>&1 || echo "note: apt-get did not install them ($(VENV)/apt.log says why); only pictures need them"; \
	else \
	  echo "note: no OpenGL for pictures; on Debian or Ubuntu: sudo apt-get install $(GL_PACKAGES)"; \
	fi

demo: setup ## train a wafer-transfer policy, evaluate it, run it on the twin, write a report
	@$(BIN)/shopfloor demo

# Arguments for pytest, e.g. make test ARGS="-k wafer".
ARGS ?=

test: setup ## the test suite
	@$(PYTEST) $(ARGS)

test-all: setup ## the test suite with the slow tests
	@$(PYTEST) -m "not referee" $(ARGS)

# The engines bring a lot along that nothing else needs, so they get an environment of their own; other tests need what
# is not there.
$(REFEREE)/.installed: pyproject.toml setup.py constraints.txt
	$(check_python)
	@echo "Installing Pinocchio and Drake into $(REFEREE) (about a minute)"
	@$(PYTHON) -m venv --clear $(REFEREE)
	@echo "*" >$(REFEREE)/.gitignore
	@$(REFEREE)/bin/python -m pip --disable-pip-version-check -q install -c constraints.txt setuptools pytest
	@$(REFEREE)/bin/python -m pip --disable-pip-version-check -q install -c constraints.txt --no-build-isolation -e ".[referee]"
	@touch $@

test-referee: $(REFEREE)/.installed ## the robot models against two other engines, Pinocchio and Drake
	@OMP_NUM_THREADS=1 $(REFEREE)/bin/pytest -m referee tests/test_referee_*.py $(ARGS)

# mypy finds the package through a link that carries its name.
.typing/shopfloor:
	@mkdir -p .typing
	@ln -sfn .. $@

lint: setup .typing/shopfloor ## ruff and mypy
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: setup ## let ruff format and mend what it can
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

bench: setup ## throughput against the raw engine
	@$(BIN)/shopfloor bench

docs: setup ## write the environment pages
	@$(BIN)/shopfloor docs

clean: ## remove .venv and everything that was generated (runs/ stays)
	@rm -rf $(VENV) $(REFEREE) .typing build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
