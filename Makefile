# What a developer types. `make help` lists it. Everything goes into .venv, bridge/web and a per-user
# cache; a second run of any target does only what is new.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
# Any Python from 3.11 on; PYTHON=... chooses another.
PYTHON ?= $(firstword $(foreach name,python3.11 python3 python3.12 python3.13,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $(name))))
PAGE := bridge/web/page
PAGE_SOURCES := $(shell find $(PAGE) -type f -not -path '*/node_modules/*' 2>/dev/null)
PAGE_MODULES := $(PAGE)/node_modules/.package-lock.json
PAGE_BUILT := bridge/web/static/index.html
OUTPUT := .artefacts
# Our own modules and those of the packages are compiled when they are first imported.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
# A hundred processes read our modules; without this each compiles them for itself.
unexport PYTHONDONTWRITEBYTECODE
# Processes that share the tests; each has servers of its own, and often waits for them.
WORKERS ?= 3
CALLS := tests/browser/rtc

# $(call step,title) announces a step; what follows `|| $(call advise,text)` is said when it fails.
step = @printf '\n==> %s\n' "$(1)"
advise = { status=$$?; printf '\n!!! %s\n' "$(1)" >&2; exit $$status; }

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# --- setting up

.PHONY: setup
setup: ## Install everything: Python packages, the join page, Synapse, LiveKit, a client
	@$(MAKE) -j3 $(VENV)/.installed page peers $(ALSO)

# Only these need a database server and a browser; they are installed beside the rest.
test chaos bench pictures: ALSO := peers-for-tests

$(VENV)/.installed: requirements/dev.txt requirements/uv.txt pyproject.toml
	$(call step,Python packages into $(VENV) (first time: about 1 minute))
	@test -n "$(PYTHON)" || $(call advise,Python 3.11 or newer is needed: apt-get install python3 python3-venv)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| $(call advise,Python cannot make environments: apt-get install python3-venv)
	@$(PIP) --require-hashes -r requirements/uv.txt \
		&& $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt \
		|| { echo "uv could not; pip does it, which takes longer."; \
			$(PIP) --require-hashes -r requirements/dev.txt; } \
		|| $(call advise,pip could not install requirements/dev.txt; check the network and try again)
	@$(PIP) --no-deps --no-build-isolation -e . \
		|| $(call advise,The project itself could not be installed; see the message above)
	@touch $@
	@echo "Python packages are ready: $$($(BIN)/python --version)"

.PHONY: page
page: $(PAGE_BUILT) ## Build the join page

$(PAGE_MODULES): $(PAGE)/package-lock.json
	$(call step,Packages of the join page (first time: about half a minute))
	@command -v npm >/dev/null || $(call advise,Node 20.19 or newer with npm is needed: apt-get install nodejs npm)
	@npm --prefix $(PAGE) ci --no-audit --no-fund --loglevel=error \
		|| $(call advise,npm could not install the page's packages; check the network and try again)
	@touch $@

$(PAGE_BUILT): $(PAGE_MODULES) $(PAGE_SOURCES)
	$(call step,Join page into bridge/web/static)
	@npm --prefix $(PAGE) run --silent build || $(call advise,The join page did not build; see the message above)
	@touch $@

.PHONY: peers
peers: $(VENV)/.installed
	$(call step,Synapse and LiveKit; Element Call and the page around it)
	@$(BIN)/python -m bridge.demo.peers synapse livekit client

.PHONY: peers-for-tests
peers-for-tests: $(VENV)/.installed
	$(call step,PostgreSQL and Chromium)
	@$(BIN)/python -m bridge.demo.peers postgres chromium

# --- running

.PHONY: demo
demo: setup ## Start everything on this machine, open a call, and say where to look at it
	@$(BIN)/passerelle demo

.PHONY: lint
lint: $(VENV)/.installed $(PAGE_MODULES) ## Check style, types and import contracts
	$(call step,Style)
	@$(BIN)/ruff check . || $(call advise,Most of it can be repaired by: $(BIN)/ruff check --fix .)
	@$(BIN)/ruff format --check . || $(call advise,To repair: $(BIN)/ruff format .)
	$(call step,Types)
	@$(BIN)/mypy --num-workers 2
	@npm --prefix $(PAGE) run --silent check
	$(call step,Import contracts)
	@$(BIN)/lint-imports

.PHONY: test
test: setup lint ## Check everything once: lint, unit, integration, browser, short faults
	$(call step,Tests)
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal --ignore $(CALLS)
	$(call step,Tests of native calls: several browsers in one call need the whole machine)
	@$(BIN)/pytest $(CALLS)

.PHONY: chaos
chaos: setup ## Run the fault tests at full length
	$(call step,Faults, at full length)
	@PASSERELLE_CHAOS=full $(BIN)/pytest tests/chaos

.PHONY: bench
bench: setup ## Measure against the peers and print the ratios
	$(call step,Measurements)
	@$(BIN)/python -m tests.benchmarks

.PHONY: pictures
pictures: setup ## Take the pictures of the README anew
	$(call step,Pictures into docs)
	@PASSERELLE_PICTURES=docs $(BIN)/pytest -q tests/browser/test_story.py tests/browser/test_demo_client.py

.PHONY: wheel
wheel: $(VENV)/.installed page ## Build the package for servers, with the join page in it, into dist
	$(call step,Wheel)
	@rm -rf build *.egg-info
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		--wheel-dir dist . || $(call advise,The wheel could not be built; see the message above)
	@rm -rf build
	@echo "Built: $$(ls -t dist/passerelle-*.whl | head -n 1)"
	@echo "Install it with its locked dependencies:"
	@echo "  pip install --require-hashes -r requirements/runtime.txt && pip install --no-deps dist/passerelle-*.whl"

.PHONY: docs
docs: $(VENV)/.installed ## Write the sample settings and the command line's help into .artefacts/docs
	@mkdir -p $(OUTPUT)/docs
	@$(BIN)/passerelle config sample > $(OUTPUT)/docs/passerelle.yaml
	@$(BIN)/passerelle config sample --profile tchap > $(OUTPUT)/docs/passerelle.tchap.yaml
	@$(BIN)/passerelle --help > $(OUTPUT)/docs/passerelle.txt
	@echo "Written: $(OUTPUT)/docs"

# --- keeping

.PHONY: lock
lock: $(VENV)/.installed ## Write requirements/*.txt anew from requirements/*.in
	@for name in runtime dev build peers uv; do \
		wheels=(); [ $$name != peers ] || wheels=(--only-binary :all:); \
		(cd requirements && ../$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --python-version 3.11 \
			--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
			"$${wheels[@]}" $$name.in -o $$name.txt); \
		echo "Written: requirements/$$name.txt"; \
	done

.PHONY: clean
clean: ## Remove what was installed and built here; the cache of servers stays
	@rm -rf $(VENV) $(PAGE)/node_modules bridge/web/static $(OUTPUT) build dist *.egg-info
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@echo "The servers stay in $${XDG_CACHE_HOME:-~/.cache}/passerelle; delete that folder to install them again."
