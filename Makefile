# make demo    the webcam page, from nothing
# make test    every check, from nothing
#
# PYTHON=python3.12     which Python makes .venv (3.11, 3.12 or 3.13)
# PIP_FLAGS='...'       handed to every pip install, for an index of your own
# CONSTRAINTS=          install the newest allowed versions instead of the pinned ones
# PORT=8080             where `make demo` serves
# WORKERS=2             processes that share the tests
# ARGS='...'            more flags for `doppel serve`, pytest or the benchmarks

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8080
WORKERS ?= 2
ARGS ?=
PIP_FLAGS ?=
CONSTRAINTS ?= constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c '$(SUITABLE)' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

SAY := @printf '\033[1m==>\033[0m %s\n'
PIP_INSTALL = $(PY) -m pip install $(if $(MAKE_TERMOUT),,--quiet) $(if $(CONSTRAINTS),-c $(CONSTRAINTS)) $(PIP_FLAGS)
INSTALLED_BY := pyproject.toml $(CONSTRAINTS)

.PHONY: help install demo test lint bench gallery pictures clean tools

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

install: $(VENV)/.installed ## install, fetch and check the models
	$(SAY) "Fetching and checking the models"
	@$(PY) -m doppel models fetch

demo: $(VENV)/.installed ## install, fetch and check the models, serve the webcam page
	$(SAY) "Fetching and checking the models"
	@$(PY) -m doppel models fetch
	$(SAY) "Starting the server; once it is ready the page is at http://127.0.0.1:$(PORT)/ (Ctrl-C stops it)"
	@exec $(PY) -m doppel serve --port $(PORT) $(ARGS)

test: tools lint ## install, then run every check and test
	$(SAY) "Running the tests"
	@mkdir -p artifacts
	@$(PY) -m pytest -n $(WORKERS) --junitxml=artifacts/junit.xml $(ARGS)

lint: $(VENV)/.installed-dev ## ruff, mypy --strict and the direction of imports
	$(SAY) "Checking style"
	@$(PY) -m ruff check
	@$(PY) -m ruff format --check
	$(SAY) "Checking types"
	@$(PY) -m mypy
	$(SAY) "Checking that imports go one way"
	@$(VENV)/bin/lint-imports

bench: $(VENV)/.installed-dev ## measure latency, CPU and quality on this machine
	$(SAY) "Measuring; leave the machine alone meanwhile"
	@$(PY) -m bench $(ARGS)

gallery: $(VENV)/.installed-dev ## make docs/gallery.md again: every transform on one portrait
	$(SAY) "Making docs/gallery.md, docs/images/gallery.jpg and docs/images/gallery/"
	@$(PY) -m docs.gallery

pictures: tools gallery ## make all pictures of the docs again
	$(SAY) "Making docs/images: the pages, live"
	@$(PY) -m docs.pictures
	$(SAY) "Making docs/images: the dashboard, after a minute"
	@$(PY) -m docs.dashboard

clean: ## remove .venv and everything that was made here
	$(SAY) "Removing .venv, caches and artifacts (the models stay where they are)"
	@rm -rf $(VENV) artifacts build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/.made:
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python from 3.11 to 3.13 with venv was found. Install one (Debian: apt-get install python3 python3-venv)," \
			"or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@"$(PYTHON)" -c '$(SUITABLE)' || { \
		echo "$(PYTHON) will not do: Python 3.11, 3.12 or 3.13 with venv is needed (Debian: python3-venv)." >&2; exit 1; }
	$(SAY) "Making .venv with $$($(PYTHON) --version)"
	@rm -rf $(VENV)
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(INSTALLED_BY) | $(VENV)/.made
	$(SAY) "Installing doppel and what it needs into .venv (torch is large: minutes on a slow line)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.installed-dev: $(INSTALLED_BY) | $(VENV)/.made
	$(SAY) "Installing doppel, what it needs and the checking tools into .venv (torch is large: minutes on a slow line)"
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.installed

tools:
	@missing=(); \
	command -v chromium chromium-browser google-chrome >/dev/null || missing+=(chromium); \
	for each in ffmpeg:ffmpeg mosquitto:mosquitto turnserver:coturn flite:flite ip:iproute2 openssl:openssl; do \
		command -v "$${each%%:*}" >/dev/null || missing+=("$${each##*:}"); \
	done; \
	[ $${#missing[@]} = 0 ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		printf '\033[1m==>\033[0m %s\n' "Installing $${missing[*]} for the tests"; \
		apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; \
	else \
		echo "The tests need $${missing[*]}. Install it (Debian, Ubuntu: sudo apt-get install $${missing[*]}) and run make test again." >&2; \
		exit 1; \
	fi
