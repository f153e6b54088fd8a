# The commands of this repository. `make` alone lists them; each sets up .venv by itself.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
SITE := _build/html
CHECKED := _build/checked
INPUTS := pyproject.toml requirements.txt requirements.lock

# The first usable Python; `make PYTHON=/path/to/python book` overrides.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	"$$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2> /dev/null && { command -v "$$name"; break; }; done)

# TensorFlow: no start-up chatter, and the same numbers on every x86 machine.
export TF_CPP_MIN_LOG_LEVEL := 3
export TF_ENABLE_ONEDNN_OPTS := 0
# One thread for NumPy's products: chapters run side by side, and two kernels with two threads each fight.
export OPENBLAS_NUM_THREADS := 1

BUILD := $(BIN)/jupyter-book build --all -W -n --keep-going .

# $(call stage,what is checked,command)
define stage
	@printf '\n== %s\n' "$(1)"
	@$(2) || { printf '\nmake test: FAILED at the stage "%s"\n' "$(1)" >&2; exit 1; }
endef

.DEFAULT_GOAL := help
.PHONY: help setup book test lab lock audit twice bench clean FORCE

help:
	@echo "make book    build the website, executing every chapter; a warning is a failure"
	@echo "make test    everything that is checked: style, types, package, website"
	@echo "make lab     open the chapters as notebooks in JupyterLab"
	@echo "make twice   execute all chapters anew and compare with the last build's numbers"
	@echo "make bench   compare the engines that train (an hour; benchmarks/README.md says how to run a part)"
	@echo "make audit   ask a public service for known weaknesses of the locked packages; needs the network"
	@echo "make lock    write requirements.lock from the bounds in pyproject.toml"
	@echo "make clean   remove what was built and the execution cache; 'make clean-all' removes .venv too"

# The stamp holds the folder that it was made for: a virtual environment does not survive a move
# or a copy, because its scripts and the editable install name the old place.
ifneq ($(shell cat $(READY) 2> /dev/null),$(CURDIR))
$(READY): FORCE
endif

$(READY): $(INPUTS)
	@if [ -e $(VENV) ] && ! grep -qsF "$(CURDIR)/$(VENV)/bin/" $(BIN)/pip; then \
		echo "setup: $(VENV) was made in another folder: making it anew"; rm -rf $(VENV); fi
	@if [ ! -x $(BIN)/python ]; then \
		[ -n "$(PYTHON)" ] || { echo "setup: no Python 3.11, 3.12 or 3.13 with the venv module found: install one, or name it with make PYTHON=/path/to/python" >&2; exit 1; }; \
		"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' > /dev/null 2>&1 || \
			{ echo "setup: expected Python 3.11 to 3.13, PYTHON=$(PYTHON) is $$("$(PYTHON)" --version 2>&1 | head -n 1)" >&2; exit 1; }; \
		echo "setup: making $(VENV) with $(PYTHON)"; "$(PYTHON)" -m venv $(VENV); fi
	@echo "setup: installing the packages of requirements.lock (the first time takes some minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@echo "setup: installing hpt itself, editable"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@mkdir -p $(VENV)/share/jupyter/lab/settings
	@printf '%s\n' '{"@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Jupytext Notebook", "myst": "Jupytext Notebook"}}, "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
		> $(VENV)/share/jupyter/lab/settings/overrides.json
	@mkdir -p $(VENV)/etc/ipython
	@echo "get_config().IPKernelApp.capture_fd_output = False  # TensorFlow's start-up log: terminal, not notebook" \
		> $(VENV)/etc/ipython/ipython_kernel_config.py
	@printf '%s\n' "$(CURDIR)" > $(READY)
	@echo "setup: ready"

setup: $(READY)

# Pages that a build without a warning has checked are not written again, unless what stands around them changed.
book: $(READY)
	@echo "book: executing the chapters and building the website"
	@if [ -f $(CHECKED) ] && [ -z "$$(find _ext _config.yml _toc.yml book/_static book/references.bib -newer $(CHECKED))" ]; \
		then set -- $(subst --all,,$(BUILD)); else set -- $(BUILD); fi; \
		rm -f $(CHECKED); "$$@" && touch $(CHECKED)
	@echo "book: open $(CURDIR)/$(SITE)/index.html"

test: $(READY)
	$(call stage,ruff check,$(BIN)/ruff check .)
	$(call stage,ruff format,$(BIN)/ruff format --check .)
	$(call stage,types,$(BIN)/mypy --strict hpt)
	$(call stage,package,CUDA_VISIBLE_DEVICES=-1 $(BIN)/python -m pytest -q)
	$(call stage,the gate of the build,$(BIN)/python -m pytest -q -m build tests)
	$(call stage,strict build,$(BUILD))
	$(call stage,website,$(BIN)/python -m pytest -q -m site tests)
	@printf '\nmake test: everything passed. The website: %s\n' "$(CURDIR)/$(SITE)/index.html"

lab: $(READY)
	@echo "lab: opening JupyterLab; a chapter below book/ opens as a notebook"
	@$(BIN)/jupyter-lab --notebook-dir=.

twice: $(READY)
	@echo "twice: executing all chapters once more, beside the last build"
	@$(BIN)/python tests/book/twice.py

bench: $(READY)
	@echo "bench: installing the extra 'bench'"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[bench]'
	@$(BIN)/python -m benchmarks $(BENCH)

audit: $(READY)
	@echo "audit: installing pip-audit beside the rest"
	@"$(BIN)/python" -m venv _build/audit
	@_build/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit
	@_build/audit/bin/pip-audit --strict --no-deps --disable-pip -r requirements.lock

# Versions that are locked already stay unless a bound forbids them: delete the file to move up.
lock:
	@[ -n "$(PYTHON)" ] || { echo "lock: no Python 3.11, 3.12 or 3.13 found" >&2; exit 1; }
	@rm -rf _build/lock && mkdir -p _build && "$(PYTHON)" -m venv _build/lock
	@_build/lock/bin/python -m pip install --quiet --disable-pip-version-check uv
	@if [ -f requirements.lock ]; then grep -v '^#' requirements.lock > _build/lock/versions; fi
	@_build/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 \
		--extra book --extra lab --extra test --index-strategy unsafe-best-match --no-header \
		--no-annotate --no-emit-index-url --no-emit-find-links --output-file _build/lock/versions > /dev/null
	@{ echo "# Exact versions of a checked build, for Python 3.11 to 3.13. Written by 'make lock', which runs"; \
		echo "#   uv pip compile pyproject.toml --universal --python-version 3.11 --extra book --extra lab --extra test"; \
		cat _build/lock/versions; } > requirements.lock
	@rm -rf _build/lock
	@echo "lock: requirements.lock names $$(grep -c == requirements.lock) versions"

.PHONY: clean-all
clean:
	rm -rf _build dist build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

clean-all: clean
	rm -rf $(VENV)
