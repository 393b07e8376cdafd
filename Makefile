# Convex. `make` alone lists the commands; each one sets up what it needs.

# The newest Python that runs and is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
# Processes that run tests, each with servers of its own: much of a test is waiting.
WORKERS ?= 3
READY := .venv/.ready
NODE_READY := web/node_modules/.ready
CLIENTS_READY := clients/.venv/.ready
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1

.DEFAULT_GOAL := help
.PHONY: clients help setup up demo test check bench chaos sbom licences release smoke-claude web screenshots lighthouse web-speed lint types format clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Virtual environment with the locked packages

# Compiled at installation: without bytecode the first start of every process takes twice as long.
$(READY): pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "Convex needs Python 3.11, 3.12 or 3.13 with venv (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv sync --frozen --compile-bytecode --quiet
	@touch $@

$(NODE_READY): $(READY) web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# What generates and checks clients, apart from what Convex runs on: their versions disagree.
$(CLIENTS_READY): $(READY) clients/package.json clients/package-lock.json clients/requirements.txt
	cd clients && npm ci --no-audit --no-fund --loglevel=error
	@test -x clients/.venv/bin/python || $(BIN)/uv venv --quiet clients/.venv
	$(BIN)/uv pip install --quiet --python clients/.venv/bin/python --require-hashes -r clients/requirements.txt
	@touch $@

clients: $(CLIENTS_READY) ## Clients of this API for Python and TypeScript, into clients/build/
	clients/generate
	cd clients && npm run --silent lint

up: $(READY) ## Start Convex on this machine and supervise it
	$(BIN)/convex up

demo: $(READY) ## Everything with a year of real data (DATA=retail: another); ONCE=1 once, with a summary
	$(BIN)/convex demo $(if $(ONCE),--once) $(if $(DATA),--data $(DATA))

test: $(NODE_READY) $(CLIENTS_READY) browser ## The whole test suite, browser tests included
	cd web && npm test --silent
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: $(NODE_READY) ## Linters, types, import contract, SQL, dbt, the web build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --nocolor --processes 2 migrations dbt
	$(BIN)/dbt parse --quiet --warn-error --project-dir dbt --profiles-dir dbt
	cd web && npm run --silent build
	@git diff --exit-code --stat -- api/static || { echo "api/static is not what web/ builds: run make web and commit it." >&2; exit 1; }

bench: $(READY) ## The benchmarks: ratios against peers and limits
	$(BIN)/python -m bench

chaos: $(READY) ## Half an hour of load while processes are killed, and the proof that nothing was lost
	$(BIN)/python -m chaos --minutes $(or $(MINUTES),30)

sbom: $(NODE_READY) ## Bills of materials (CycloneDX) of what is shipped, into dist/
	@$(BIN)/python -m release sbom

licences: $(READY) ## Write docs/licences.md; fails on a licence that the policy does not let pass
	@$(BIN)/python -m release licences

release: $(NODE_READY) ## The release archive of HEAD with its notes and bills of materials, into dist/
	@git diff --quiet HEAD || { echo "Commit first: a release is made of a commit." >&2; exit 1; }
	@$(BIN)/python -m release archive

smoke-claude: $(READY) ## One real call of each kind to Claude (needs ANTHROPIC_API_KEY); prints its cost
	$(BIN)/convex insights smoke

web: $(NODE_READY) ## Build the page into api/static
	cd web && npm run --silent build

# On a running demo: its home and port are CONVEX_HOME and CONVEX_API_PORT, as for `convex up`.
screenshots: $(READY) browser ## Every page of the running demo, light and dark, as pictures
	$(BIN)/python -m web.tools.screenshots

lighthouse: $(NODE_READY) browser ## Lighthouse's figures of the running demo's pages (PAGES="/ /rules")
	$(BIN)/python -m web.tools.lighthouse $(PAGES)

web-speed: $(READY) browser ## How fast the running demo's page scrolls 10,000 alerts and draws 100,000 points
	$(BIN)/python -m web.tools.speed

format: $(READY) ## Format the Python code
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

# Tests talk to a real Chromium, Prometheus and Alertmanager, Debian's where apt is at hand. Chromium is
# installed if we may; the others are only unpacked beside the environment, since installed they would
# start services.
.PHONY: browser
browser: $(READY)
	@test -x .venv/debian/usr/bin/amtool || { command -v prometheus && command -v amtool; } >/dev/null || \
	{ mkdir -p .venv/debian && cd .venv/debian && { [ "$$(id -u)" != 0 ] || apt-get update -qq; } && \
		apt-get download -qq prometheus prometheus-alertmanager && \
		for package in *.deb; do dpkg -x "$$package" .; done && rm -f *.deb; } >/dev/null 2>&1 || \
		echo "*** NO PROMETHEUS OR ALERTMANAGER: install Debian's; tests against them will be skipped. ***" >&2
	@for b in chromium chromium-browser google-chrome; do command -v $$b >/dev/null && exit 0; done; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else \
		echo "*** NO BROWSER: install Chromium (or Chrome); the browser tests will be skipped. ***" >&2; \
	fi

clean: ## Remove what was installed and built here (not the data of .convex/)
	rm -rf .venv web/node_modules .mypy_cache .ruff_cache .pytest_cache dbt/target dbt/logs
