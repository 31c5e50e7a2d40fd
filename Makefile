# Only gets nox: what can be done is in noxfile.py. Needs git, make, and Python 3.11 or newer with
# its venv module.

PYTHON ?= python3
NOX := .nox/bootstrap/bin/nox

.DEFAULT_GOAL := help
.PHONY: help check FORCE

help: $(NOX)
	@echo 'make demo    the main job end to end on a real API server (KEEP=1 leaves it running)'
	@echo 'make test    unit, integration and contract tests with coverage'
	@echo 'make check   what a change must pass before it is pushed'
	@echo 'make NAME    any session of this list:'
	@$(NOX) --list-sessions | sed -n '/^[*-] /p'

check: $(NOX)
	@$(NOX)

# Any other goal is a session of nox; arguments go by nox itself: .nox/bootstrap/bin/nox -s NAME -- ...
%: $(NOX) FORCE
	@$(NOX) --sessions $@

$(NOX): requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' || \
		{ echo '$(PYTHON) is not Python 3.11 or newer with venv; name one: make PYTHON=python3.12' >&2; exit 1; }
	@echo 'Installing nox into .nox/bootstrap'
	@$(PYTHON) -m venv --clear .nox/bootstrap
	@.nox/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

requirements/bootstrap.txt Makefile: ;
