# Everything runs in .venv/, made on first use from any Python 3.11 to 3.13 and the pins of constraints.txt.
# Another Python:  make test PYTHON=/path/to/python3.12

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

# Nothing phones home, and Jupyter takes the platform's own folders.
export ORT_DISABLE_TELEMETRY := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export JUPYTER_PLATFORM_DIRS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
find_python = $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	"$$p" -c '$(IN_RANGE)' >/dev/null 2>&1 && echo "$$p" && break; done)
PYTHON ?= $(find_python)
BIN := .venv/bin
INSTALLED := .venv/.installed
INSTALLING := .venv/.installing

.PHONY: help demo test lab check bench docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# The stamp is written last and `.installing` marks the time before it, so an install that was killed is begun afresh,
# while a .venv that a person made is added to, never emptied.
$(INSTALLED): pyproject.toml constraints.txt
	@"$(PYTHON)" -c '$(IN_RANGE)' 2>/dev/null || { echo 'nbdeploy needs Python 3.11, 3.12 or 3.13$(if $(PYTHON), and "$(PYTHON)" is none of them,; none was found).' >&2; \
		echo 'Install one, then type: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.13' >&2; exit 1; }
	@if [ -e $(INSTALLING) ]; then echo "The last install was interrupted: starting .venv afresh."; "$(PYTHON)" -m venv --clear .venv; \
		elif [ ! -x $(BIN)/python ]; then echo "Making .venv with $$("$(PYTHON)" --version)"; "$(PYTHON)" -m venv .venv; fi
	@touch $(INSTALLING); rm -f $@
	@echo "Installing the pinned packages into .venv (a few gigabytes the first time)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt pip
	@$(BIN)/python -m pip install -c constraints.txt --build-constraint constraints.txt -e ".[dev]"
	@touch $@; rm -f $(INSTALLING)

demo: $(INSTALLED) ## the main job on the embedded data set: from pictures to a verified bundle in build/digits-tflite/
	@$(BIN)/nbdeploy demo

# One call, so that one summary line speaks for all. Each of the two workers computes on one core; the notebooks are the
# longest files, so they start first, and a notebook's cells stay with one kernel (loadfile).
# The tutorials' endpoints are kept apart from the user's own. A worker that dies ends the run in red: one in its place can
# leave xdist waiting for ever.
test: export OMP_NUM_THREADS := 1
test: export NBDEPLOY_STATE := $(CURDIR)/build/state
test: $(INSTALLED) ## every test, and every notebook from top to bottom; ARGS="-k name" picks some
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0 \
		--nbval-lax --nbval-current-env --nbval-cell-timeout=900 notebooks tests $(ARGS)

lab: $(INSTALLED) ## JupyterLab on the tutorials, on this machine only
	@$(BIN)/jupyter lab --ip=127.0.0.1 --LabApp.news_url=None --LabApp.extension_manager=readonly \
		--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

check: $(INSTALLED) ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(INSTALLED) ## the figures of the documentation, measured here
	@$(BIN)/python -m benchmarks $(ARGS)

# Tutorials are run for their outputs, once: build/docs/cache has them until they change. NBDEPLOY_DOCS_EXECUTE=off leaves it.
docs: export NBDEPLOY_STATE := $(CURDIR)/build/state
docs: $(INSTALLED) ## the documentation as a site in build/docs/html/; runs the tutorials that changed
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs -d build/docs/doctrees $(ARGS) . build/docs/html
	@echo "Open build/docs/html/index.html"

clean: ## remove .venv and the caches of the tools; your bundles in build/ stay
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
