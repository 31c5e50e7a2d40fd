# Only installs nox; the tasks are in noxfile.py. It needs git, make, and Python 3.11 or newer with
# its venv module.

PYTHON ?= python3
NOX := .nox/bootstrap/bin/nox

.DEFAULT_GOAL := help
.PHONY: help check FORCE kind-create kind-deploy kind-delete k3d-create k3d-deploy k3d-delete

help: $(NOX)
	@echo 'make demo    the main job end to end on a real API server (KEEP=1 leaves it running, PACE=1 narrates)'
	@echo 'make demo-ops  what goes wrong: faults on purpose, and what everybody sees of them'
	@echo 'make test    unit, integration, contract and fault tests with coverage'
	@echo 'make check   what a change must pass before it is pushed'
	@echo 'make kind-create kind-deploy kind-delete    by hand: this checkout in a cluster by kind'
	@echo 'make k3d-create k3d-deploy k3d-delete       the same by k3d'
	@echo 'make NAME    any session of this list:'
	@$(NOX) --list-sessions | sed -n '/^[*-] /p'

check: $(NOX)
	@$(NOX)

# A separate cluster to try this checkout. A second deploy replaces the image and the pods.
CLUSTER := mcp-operator
DEPLOY = kubectl --context $(1)-$(CLUSTER) apply --server-side -k manifests/overlays/kind && \
	kubectl --context $(1)-$(CLUSTER) -n mcp-system rollout restart deployment/mcp-operator && \
	kubectl --context $(1)-$(CLUSTER) -n mcp-system rollout status deployment/mcp-operator --timeout 120s

kind-create:
	kind create cluster --name $(CLUSTER)

kind-deploy: $(NOX)
	@$(NOX) --sessions image -- --archive dist/image.tar
	kind load image-archive dist/image.tar --name $(CLUSTER)
	$(call DEPLOY,kind)

kind-delete:
	kind delete cluster --name $(CLUSTER)

k3d-create:
	k3d cluster create $(CLUSTER) --wait

k3d-deploy: $(NOX)
	@$(NOX) --sessions image -- --archive dist/image.tar
	k3d image import dist/image.tar --cluster $(CLUSTER)
	$(call DEPLOY,k3d)

k3d-delete:
	k3d cluster delete $(CLUSTER)

# Any other goal is a session of nox. To pass arguments, call .nox/bootstrap/bin/nox -s NAME -- ...
%: $(NOX) FORCE
	@$(NOX) --sessions $@

$(NOX): requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' || \
		{ echo '$(PYTHON) is not Python 3.11 or newer with venv; name one: make PYTHON=python3.12' >&2; exit 1; }
	@echo 'Installing nox into .nox/bootstrap'
	@$(PYTHON) -m venv --clear .nox/bootstrap
	@.nox/bootstrap/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	@touch $@

requirements/bootstrap.txt Makefile: ;
