# The only entry point. Bare `make` prints this help.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# What is typed after make is text: make would run the $(shell ...) in it before any recipe does.
TYPED_HOST := $(filter command%,$(origin HOST))
typed := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
$(foreach name,$(typed),$(eval override $(name) := $$(value $(name))))

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3.11)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments: one stamp a role of machine -----------------------------------------------
$(VENV)/.node: requirements/node.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "python3.11 or python3.12 is needed and was not found on PATH: install it, or give PYTHON=/path/to/python" >&2; exit 2; }
	@echo "Setting up $(VENV) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/node.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.target: requirements/target.txt $(VENV)/.node
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/target.txt
	@touch $@

$(VENV)/.controller: requirements/controller.txt $(VENV)/.node
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/controller.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.target $(VENV)/.controller
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

# --- runs ------------------------------------------------------------------------------------
# Variables carry Locust's names; the command line wins over the environment, as make does it.
RUN_OPTIONS = LOCUSTFILE HOST USERS SPAWN_RATE RUN_TIME WORKERS TAGS EXCLUDE_TAGS USER_CLASSES \
  STOP_TIMEOUT WEB_PORT TLS_CERT TLS_KEY MASTER_BIND_PORT EXPORTER_PORT RESULTS INVENTORY \
  EXPERIMENT WARM_UP ARRIVAL_RATE
# A value is text, and the shell gets it in quotes; what is called *_OPTIONS, DO or BENCH is words of
# a command line, given to the shell as they stand.
define newline


endef
quoted = '$(subst $(newline),'$$'\n'',$(subst ','\'',$(value $(1))))'
# Some shells export HOST as this machine's name, so that one counts only when it is typed.
given = $(if $(filter HOST,$(1)),$(TYPED_HOST),$(value $(1)))
option = $(if $(call given,$(1)),--$(subst _,-,$(shell echo $(1) | tr A-Z a-z)) $(call quoted,$(1)))

comma := ,
# A scenario that names its simulator brings its own target when no HOST is given.
own_target = $(if $(call given,HOST)$(value INVENTORY),,$(if $(value LOCUSTFILE),$(shell tr ',\n' '\0\0' <<<$(call quoted,LOCUSTFILE) | xargs -0 grep -ls '^SIMULATOR = ' --)))

.PHONY: run-distributed simulator
run-distributed: $(VENV)/.node $(if $(value INVENTORY),$(VENV)/.controller) $(if $(value EXPERIMENT)$(own_target),$(VENV)/.target) ## Run a load test: LOCUSTFILE HOST USERS SPAWN_RATE RUN_TIME WORKERS, or EXPERIMENT
	@exec $(BIN)/loadgen run $(foreach name,$(RUN_OPTIONS),$(call option,$(name))) $(LOCUST_OPTIONS)

simulator: $(VENV)/.target ## Serve a simulated target: NAME=hello LISTEN=127.0.0.1:8000
	@exec $(BIN)/python -m loadgen.simulators $(if $(value NAME),$(call quoted,NAME),hello) --listen $(if $(value LISTEN),$(call quoted,LISTEN),127.0.0.1:8000) $(SIMULATOR_OPTIONS)

# --- making scenarios -------------------------------------------------------------------------
.PHONY: probe record test-browser
probe: $(VENV)/.node $(if $(own_target),$(VENV)/.target) ## Walk one iteration of a scenario step by step: LOCUSTFILE HOST
	@test -n $(call quoted,LOCUSTFILE) || { echo "LOCUSTFILE is not set: name a scenario, as LOCUSTFILE=locustfiles/dspace.py" >&2; exit 2; }
	@exec $(BIN)/loadgen probe $(call option,HOST) $(call option,LOCUSTFILE)

test-browser: $(VENV)/.dev ## Record sessions in a real browser and replay them (Debian's Chromium; a minute)
	$(BIN)/pytest tests/browser

record: $(VENV)/.controller ## Make a locustfile from a browser's recording: HAR=session.har [OUTPUT HOST]
	@test -n $(call quoted,HAR) || { echo "HAR is not set: save a session from the browser's developer tools (Network, Save all as HAR) and give HAR=session.har" >&2; exit 2; }
	@exec $(BIN)/loadgen record $(foreach name,OUTPUT HOST,$(call option,$(name))) -- $(call quoted,HAR)

# --- experiments -----------------------------------------------------------------------------
.PHONY: test-studies
test-studies: $(VENV)/.dev ## Test whole studies, on a machine that does nothing else (some minutes)
	$(BIN)/pytest -s tests/studies

docs/experiment.schema.json: loadgen/specification/experiment.py loadgen/specification/run.py loadgen/specification/slo.py
	$(BIN)/python -c 'from loadgen.specification.experiment import schema; print(schema(), end="")' > $@

# --- monitoring ------------------------------------------------------------------------------
.PHONY: watch monitoring dashboards pictures test-monitoring
watch: $(VENV)/.node $(if $(value INVENTORY),$(VENV)/.controller) ## Watch the running test: Grafana's address, or live in this terminal [INVENTORY]
	@exec $(BIN)/python -m loadgen.watch.watch $(call option,INVENTORY) $(WATCH_OPTIONS)

monitoring: $(VENV)/.node ## Run Prometheus, and Grafana where installed, on this machine
	@exec $(BIN)/python -m loadgen.watch.monitoring $(MONITORING_OPTIONS)

dashboards: $(VENV)/.dev ## Write Grafana's dashboards from their code
	$(BIN)/python -m exporter.grafana

pictures: $(VENV)/.dev ## Draw the documentation's pictures of the live view and the dashboards
	PYTHONPATH=. $(BIN)/python docs/pictures/dashboards.py

test-monitoring: $(VENV)/.dev ## Test exporter, rules and dashboards against a real Prometheus
	$(BIN)/pytest tests/unit/exporter tests/monitoring

# --- the alarm study ---------------------------------------------------------------------------
.PHONY: alarm-study
alarm-study: $(VENV)/.target ## Run the alarm study's hour under fault again: SPEED=60 SEED=42
	@exec $(BIN)/python -m loadgen.studies.alarm.command --speed $(if $(value SPEED),$(call quoted,SPEED),1) --seed $(if $(value SEED),$(call quoted,SEED),42)

# --- the fleet's desired state: every verb needs INVENTORY=directory ----------------------------
INVENTORIES = $(patsubst %/,%,$(filter-out inventory/sample/,$(wildcard inventory/*/)))
PLAYBOOK = $(BIN)/ansible-playbook --inventory $(call quoted,INVENTORY) $(PLAYBOOK_OPTIONS)
CHANGE = exec $(BIN)/python -m loadgen.deploy.inventory_lock $(call quoted,INVENTORY) $(PLAYBOOK)
# Ansible would look for templates in it: a path is none.
UNTEMPLATED = $(BIN)/python -c 'import json, os, sys; \
  print(json.dumps({"release_locustfile": {"__ansible_unsafe": os.path.abspath(sys.argv[1])}}))'
PLAYBOOK_OPTIONS ?=
.PHONY: inventory-given deploy verify rotate teardown-workers teardown
inventory-given:
	@test -n $(call quoted,INVENTORY) || { echo "INVENTORY is not set, and this verb needs a fleet: nothing was touched. Give INVENTORY=DIRECTORY; there are: $(or $(INVENTORIES),none yet (copy inventory/sample to inventory/NAME and edit it))" >&2; exit 2; }
	@test -e $(call quoted,INVENTORY) || { echo INVENTORY=$(call quoted,INVENTORY)" does not exist: nothing was touched. There are: $(or $(INVENTORIES),none yet (copy inventory/sample to inventory/NAME and edit it))" >&2; exit 2; }

deploy: inventory-given $(VENV)/.controller ## Turn the hosts of INVENTORY into a fleet, ready and idle
	@$(CHANGE) $(if $(value LOCUSTFILE),--extra-vars "$$($(UNTEMPLATED) $(call quoted,LOCUSTFILE))") playbooks/deploy.yml

verify: inventory-given $(VENV)/.controller ## Look whether the fleet answers; changes nothing
	@$(PLAYBOOK) playbooks/verify.yml

rotate: inventory-given $(VENV)/.controller ## New channel keys and certificates for an idle fleet
	@$(CHANGE) playbooks/rotate.yml

teardown-workers: inventory-given $(VENV)/.controller ## Give the worker hosts back as they were
	@$(CHANGE) playbooks/teardown-workers.yml

teardown: inventory-given $(VENV)/.controller ## Give every host of the fleet back as it was
	@$(CHANGE) playbooks/teardown.yml

# --- fleet: what runs there -------------------------------------------------------------------
FLEET_OPTIONS = INVENTORY RESULTS HOST_LIMIT LINES
.PHONY: status stop logs drain
status: ## Tell what each host of a fleet is doing: INVENTORY=inventory/<name>
stop: ## End the run that is under way on a fleet, and collect it: INVENTORY
logs: ## Print the newest journal lines of a fleet's hosts: INVENTORY [HOST_LIMIT LINES]
drain: ## Take worker hosts out of a run under way: INVENTORY HOST_LIMIT=worker2
status stop logs drain: inventory-given $(VENV)/.controller
	@exec $(BIN)/loadgen $@ $(foreach name,$(FLEET_OPTIONS),$(call option,$(name)))


# --- development -----------------------------------------------------------------------------
.PHONY: check fix test lock
check: $(VENV)/.dev ## Lint and type-check; edits nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/vulture
	ANSIBLE_INVENTORY=inventory/sample PATH="$(abspath $(BIN)):$$PATH" $(BIN)/ansible-lint --offline -q

fix: $(VENV)/.dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Runs wait more than they work; the rest keeps every core busy.
RUN_TESTS = tests/local tests/monitoring
QUICK_TESTS = tests/unit tests/attackers/quick
test: check ## Check and run every test that this machine can run within minutes
	$(BIN)/pytest -n 4 $(RUN_TESTS)
	$(BIN)/pytest -n auto $(QUICK_TESTS)

lock: $(VENV)/.dev ## Renew the hash-locked requirements
	for role in node target controller dev bench; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --custom-compile-command "make lock" requirements/$$role.in -o requirements/$$role.txt; done

# --- lab: real hosts on this machine ----------------------------------------------------------
LAB_WORKERS ?= 3
LAB_PLAY = ANSIBLE_INVENTORY_ENABLED=host_list $(BIN)/ansible-playbook -i localhost, -e ansible_python_interpreter=$(CURDIR)/$(BIN)/python
.PHONY: lab lab-host test-lab lab-down
lab: $(VENV)/.controller ## Start real hosts for tests on this machine (root on Debian; LAB_WORKERS=3)
	@$(LAB_PLAY) -e lab_hosts_worker_count=$(call quoted,LAB_WORKERS) playbooks/lab.yml

lab-host: ## Stop, start, cut off or slow a lab host (DO="cut worker1"; DO= prints them all)
	@playbooks/roles/lab_hosts/files/lab-host $(DO)

test-lab: $(VENV)/.dev ## Test the fleet on the lab's hosts; brings the lab up if need be (20 minutes)
	$(BIN)/pytest --timeout 1800 tests/lab

lab-down: $(VENV)/.controller ## Remove the lab; PURGE=1 removes its cached images too
	@$(LAB_PLAY) -e lab_purge=$(if $(value PURGE),true,false) playbooks/lab-down.yml

# --- faults ----------------------------------------------------------------------------------
.PHONY: test-faults
test-faults: $(VENV)/.dev ## Break everything on purpose, write docs/faults.md (root on Debian; SOAK_SECONDS=3600)
	$(BIN)/python -m tests.faults

# --- weaknesses of dependencies ----------------------------------------------------------------
.PHONY: audit
audit: $(VENV)/.dev ## Look up known weaknesses of the locked packages (needs pypi.org)
	@exec $(BIN)/python -m tests.audit

# --- benchmark -------------------------------------------------------------------------------
$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bench.txt
	@touch $@

.PHONY: bench
bench: $(VENV)/.bench ## Compare generators on two quiet cores; writes docs (BENCH="--only HTTPS")
	tests/install-packages nginx-light wrk openssl
	$(BIN)/python -m tests.bench $(BENCH)
