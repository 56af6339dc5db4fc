# The only entry point. Bare `make` prints this help.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# Tests call make themselves, so the variables of this call must not reach theirs. They start the
# kit hundreds of times, so Python may write compiled files even where the environment forbids it.
PYTEST = env -u MAKEFLAGS -u MAKELEVEL -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest
# takes_TARGET lists the variables that a target takes; the end of this file refuses any other.
taken_everywhere = PYTHON VENV PIP_% PYTEST_% ANSIBLE_%

# What is typed after make is text: make would run the $(shell ...) in it before any recipe does.
TYPED_HOST := $(filter command%,$(origin HOST))
TYPED_ENV := $(filter command%,$(origin ENV))
typed := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
$(foreach name,$(typed),$(eval override $(name) := $$(value $(name))))

# Each is started to learn its version, since a name on PATH may be a wrapper for another. 3.11 and
# 3.12 can also drive a fleet.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
  "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo "$$name" && break; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments: one stamp a role of machine -----------------------------------------------
comma := ,
define install
@echo "Installing $$(cat $(1) | grep -c '^[a-z].*==') packages ($(2)). This is done once, and takes from half a minute to a few minutes."
@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --only-binary :all: $(addprefix -r ,$(1))
endef

# An environment whose making was interrupted may lack pip, and is made again.
$(VENV)/.node: requirements/node.txt requirements/results.txt pyproject.toml
	@test -x $(BIN)/python || "$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null || { echo "Python 3.11, 3.12, 3.13 or 3.14 is needed and $(if $(PYTHON),$(PYTHON) is none of these,was not found on PATH): install it, or give PYTHON=/path/to/python" >&2; exit 2; }
	@$(BIN)/python -c 'import sys, pip; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || { echo "Setting up $(VENV), once"; "$(or $(PYTHON),$(BIN)/python)" -m venv $(VENV); }
	$(call install,requirements/node.txt requirements/results.txt,Locust$(comma) and the packages for results and reports)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.target: requirements/target.txt $(VENV)/.node
	$(call install,requirements/target.txt,the simulated targets)
	@touch $@

$(VENV)/.controller: requirements/controller.txt $(VENV)/.node
	$(call install,requirements/controller.txt,Ansible and Fabric)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.target $(VENV)/.controller
	$(call install,requirements/dev.txt,the packages for checks and tests)
	@touch $@

# --- runs ------------------------------------------------------------------------------------
# Variables carry Locust's names; the command line wins over the environment, as make does it.
RUN_OPTIONS = LOCUSTFILE HOST USERS SPAWN_RATE RUN_TIME WORKERS TAGS EXCLUDE_TAGS USER_CLASSES \
  STOP_TIMEOUT WEB_PORT TLS_CERT TLS_KEY MASTER_BIND_PORT EXPORTER_PORT RESULTS \
  EXPERIMENT WARM_UP ARRIVAL_RATE SEED REQUEST_LOG ALLOW_MISSING ENV_FILE
RUN_FLAGS = SKIP_TARGET_CHECK INSECURE_TARGET QUIET
# A value is passed to the shell in quotes; the values of *_OPTIONS, DO and BENCH are words of a
# command line, and are passed without quotes.
define newline


endef
quoted = '$(subst $(newline),'$$'\n'',$(subst ','\'',$(value $(1))))'
# Some shells export HOST as this machine's name, so that one counts only when it is typed.
given = $(if $(filter HOST,$(1)),$(TYPED_HOST),$(value $(1)))
name_of = --$(subst _,-,$(shell echo $(1) | tr A-Z a-z))
option = $(if $(call given,$(1)),$(call name_of,$(1)) $(call quoted,$(1)))
options = $(foreach name,$(1),$(call option,$(name)))
# These values switch a flag on; 0, no and false switch it off, and any other is refused.
ON = 1 yes true
FLAGS = $(RUN_FLAGS) PURGE ASK_VAULT_PASS
flags = $(foreach name,$(1),$(if $(filter $(ON),$(value $(name))),$(call name_of,$(name))))
# Words for another program follow --, which may be given or left out.
passed_on = $(if $(strip $(1)),$(if $(filter --,$(firstword $(1))),,--) $(1))
# Every verb of a fleet takes its inventory and Ansible's options for Vault.
FLEET = INVENTORY VAULT_PASSWORD_FILE VAULT_ID ASK_VAULT_PASS
fleet = $(call options,$(filter-out ASK_VAULT_PASS,$(FLEET))) $(call flags,ASK_VAULT_PASS)

comma := ,
# A scenario that names its simulator brings its own target when no HOST is given.
own_target = $(if $(call given,HOST)$(value INVENTORY),,$(if $(value LOCUSTFILE),$(shell tr ',\n' '\0\0' <<<$(call quoted,LOCUSTFILE) | xargs -0 grep -ls '^SIMULATOR = ' --)))

.PHONY: run-distributed simulator
takes_run-distributed = $(FLEET) $(RUN_OPTIONS) $(RUN_FLAGS) ENV LOCUST_OPTIONS
# ENV="NAME OTHER=value" passes this machine's NAME, and OTHER with this value.
variables = $(if $(TYPED_ENV),$(foreach word,$(subst ','\'',$(subst $(newline), ,$(value ENV))),--env '$(word)'))
takes_simulator = NAME LISTEN SIMULATOR_OPTIONS
run-distributed: $(VENV)/.node $(if $(value INVENTORY),$(VENV)/.controller) $(if $(value EXPERIMENT)$(own_target),$(VENV)/.target) ## Run a load test: LOCUSTFILE HOST USERS SPAWN_RATE RUN_TIME WORKERS, or EXPERIMENT
	@exec $(BIN)/loadgen run $(fleet) $(call options,$(RUN_OPTIONS)) $(variables) $(call flags,$(RUN_FLAGS)) $(call passed_on,$(LOCUST_OPTIONS))

simulator: $(VENV)/.target ## Start a simulated target:  NAME=hello LISTEN=127.0.0.1:8000
	@exec $(BIN)/loadgen simulator $(if $(value NAME),$(call quoted,NAME),hello) --listen $(if $(value LISTEN),$(call quoted,LISTEN),127.0.0.1:8000) $(SIMULATOR_OPTIONS)

# --- making scenarios -------------------------------------------------------------------------
.PHONY: probe record test-browser
takes_probe = LOCUSTFILE HOST
takes_record = HAR OUTPUT HOST
probe: $(VENV)/.node $(if $(own_target),$(VENV)/.target) ## Run each task of a scenario once, and print every request: LOCUSTFILE HOST
	@test -n $(call quoted,LOCUSTFILE) || { echo "LOCUSTFILE is not set: give a scenario, such as LOCUSTFILE=locustfiles/dspace.py" >&2; exit 2; }
	@exec $(BIN)/loadgen probe $(call option,HOST) $(call option,LOCUSTFILE)

test-browser: $(VENV)/.dev ## Record sessions in a real browser and replay them (Debian's Chromium; a minute)
	$(PYTEST) tests/browser

record: $(VENV)/.controller ## Make a locustfile from a browser's recording: HAR=session.har [OUTPUT HOST]
	@test -n $(call quoted,HAR) || { echo "HAR is not set: save a session from the browser's developer tools (Network, Save all as HAR) and give HAR=session.har" >&2; exit 2; }
	@exec $(BIN)/loadgen record $(call options,OUTPUT HOST) -- $(call quoted,HAR)

# --- experiments -----------------------------------------------------------------------------
.PHONY: test-studies
test-studies: $(VENV)/.dev ## Test the published studies as a whole, on a machine that does nothing else (35 minutes)
	$(PYTEST) -s tests/studies
	$(PYTEST) -m 'slow and not fault' tests/local

.PHONY: results coverage
takes_results = RESULTS
takes_coverage = SEEDS
results: $(VENV)/.node ## Open a page that shows all runs and compares two of them: RESULTS
	@exec $(BIN)/loadgen results --open $(call option,RESULTS)

coverage: $(VENV)/.dev ## Print how often the reported intervals contain the true value, by simulation: SEEDS=1000
	@exec $(BIN)/python -m tests.coverage_of_intervals $(if $(value SEEDS),--seeds $(call quoted,SEEDS))

docs/experiment.schema.json: $(wildcard loadgen/specification/*.py)
	$(BIN)/python -c 'from loadgen.specification.experiment import schema; print(schema(), end="")' > $@

# --- monitoring ------------------------------------------------------------------------------
.PHONY: watch monitoring dashboards pictures test-monitoring
takes_watch = $(FLEET) WATCH_OPTIONS
takes_monitoring = MONITORING_OPTIONS
watch: $(VENV)/.node $(if $(value INVENTORY),$(VENV)/.controller) ## Show the running test in this terminal, or print Grafana's address if it answers [INVENTORY]
	@exec $(BIN)/loadgen watch $(fleet) $(WATCH_OPTIONS)

monitoring: $(VENV)/.node ## Run Prometheus on this machine, and Grafana if it is installed
	@exec $(BIN)/loadgen monitoring $(MONITORING_OPTIONS)

dashboards: $(VENV)/.dev ## Write Grafana's dashboards from their code
	$(BIN)/python -m exporter.grafana

pictures: $(VENV)/.dev ## Draw the documentation's pictures of the live view and the dashboards
	PYTHONPATH=. $(BIN)/python docs/pictures/dashboards.py

test-monitoring: $(VENV)/.dev ## Test exporter, rules and dashboards against a real Prometheus
	LOADGEN_LONG=1 $(PYTEST) --timeout 1200 tests/unit/exporter tests/monitoring

# --- the alarm study ---------------------------------------------------------------------------
.PHONY: alarm-study
takes_alarm-study = SPEED SEED
alarm-study: $(VENV)/.target ## Repeat the alarm study, an hour with outages of an alarm receiving centre: SPEED=60 SEED=42
	@exec $(BIN)/loadgen study alarm $(call options,SPEED SEED)

# --- the fleet's desired state: every verb needs INVENTORY=directory ----------------------------
INVENTORIES = $(patsubst %/,%,$(filter-out inventory/sample/,$(wildcard inventory/*/)))
PLAYBOOK = @exec $(BIN)/loadgen $@ $(fleet) $(call options,$(1)) $(call passed_on,$(PLAYBOOK_OPTIONS))
DESIRED_STATE = verify rotate teardown-workers teardown
takes_deploy = $(FLEET) LOCUSTFILE PLAYBOOK_OPTIONS
$(foreach verb,$(DESIRED_STATE),$(eval takes_$(verb) = $(FLEET) PLAYBOOK_OPTIONS))
.PHONY: inventory-given deploy verify rotate teardown-workers teardown
inventory-given:
	@test -n $(call quoted,INVENTORY) || { echo "INVENTORY is not set, and this target needs a fleet: nothing was changed. Give INVENTORY=DIRECTORY. The existing inventories are: $(or $(INVENTORIES),none yet (copy inventory/sample to inventory/NAME and edit it))" >&2; exit 2; }
	@test -e $(call quoted,INVENTORY) || { echo INVENTORY=$(call quoted,INVENTORY)" does not exist, and nothing was changed. The existing inventories are: $(or $(INVENTORIES),none yet (copy inventory/sample to inventory/NAME and edit it))" >&2; exit 2; }

deploy: inventory-given $(VENV)/.controller ## Turn the hosts of INVENTORY into a fleet, ready and idle
	$(call PLAYBOOK,LOCUSTFILE)

verify: ## Check that the fleet answers, and change nothing
rotate: ## Make new keys and certificates for the connections of an idle fleet
teardown-workers: ## Remove loadgen from the worker hosts
teardown: ## Remove loadgen from every host of the fleet
$(DESIRED_STATE): inventory-given $(VENV)/.controller
	$(PLAYBOOK)

# --- fleet: what runs there -------------------------------------------------------------------
.PHONY: status stop logs drain
takes_status = $(FLEET)
takes_stop = $(FLEET) RESULTS
takes_logs = $(FLEET) RESULTS HOST_LIMIT LINES
takes_drain = $(FLEET) HOST_LIMIT
status: ## Show what each host of a fleet is doing: INVENTORY=inventory/<name>
stop: ## End the run that is under way on a fleet, and collect its results: INVENTORY
logs: ## Print the newest journal lines of a fleet's hosts: INVENTORY [HOST_LIMIT LINES]
drain: ## Take worker hosts out of a run under way: INVENTORY HOST_LIMIT=worker2
status stop logs drain: inventory-given $(VENV)/.controller
	@exec $(BIN)/loadgen $@ $(fleet) $(call options,$(filter-out $(FLEET),$(takes_$@)))


# --- development -----------------------------------------------------------------------------
.PHONY: check check-python check-playbooks fix test lock
check: $(VENV)/.dev ## Check format, style, types and imports, without changing any file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(MAKE) -j2 --output-sync=target check-python check-playbooks

check-python:
	$(BIN)/mypy
	@echo "$(BIN)/pytest --collect-only tests"; told=$$($(PYTEST) --collect-only -q tests) || { echo "$$told"; exit 1; }
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/vulture

check-playbooks:
	ANSIBLE_INVENTORY=inventory/sample PATH="$(abspath $(BIN)):$$PATH" $(BIN)/ansible-lint --offline -q

fix: $(VENV)/.dev ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# All tests run in one session: tests/sharing_out.py lets the quick tests use the cores that the
# load runs leave idle.
test: check ## Check and run every test that this machine can run within minutes
	$(PYTEST) -n 6 -m 'not slow' tests/local tests/monitoring tests/unit tests/attackers/quick

lock: $(VENV)/.dev ## Update the locked requirements and their hashes
	for role in node results target controller dev bench; do \
	  $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	    --custom-compile-command "make lock" requirements/$$role.in -o requirements/$$role.txt; done

# --- lab: real hosts on this machine ----------------------------------------------------------
.PHONY: lab lab-host test-lab test-core-path lab-down
takes_lab = LAB_WORKERS PLAYBOOK_OPTIONS
takes_lab-host = DO
takes_test-lab = LAB_WORKERS
takes_test-core-path = LAB_WORKERS
takes_lab-down = PURGE PLAYBOOK_OPTIONS
lab: $(VENV)/.controller ## Start a lab of simulated hosts on this machine, for tests (needs root on Debian; LAB_WORKERS=3)
	@exec $(BIN)/loadgen lab $(if $(value LAB_WORKERS),--workers $(call quoted,LAB_WORKERS)) $(call passed_on,$(PLAYBOOK_OPTIONS))

lab-host: $(VENV)/.node ## Stop, start, cut off or slow down one of the lab's hosts (DO="cut worker1"; DO= prints all actions)
	@exec $(BIN)/loadgen lab-host $(DO)

test-lab: $(VENV)/.dev ## Test the fleet on the lab's hosts, which it starts if they are down (70 minutes)
	$(PYTEST) --timeout 1800 tests/lab

test-core-path: $(VENV)/.controller ## Test the lab, deploy, a run and teardown, one after another (needs root on Debian; LAB_WORKERS=1)
	tests/lab/core-path

lab-down: $(VENV)/.controller ## Remove the lab's hosts, and with PURGE=1 also its cached images; installed packages stay
	@exec $(BIN)/loadgen lab-down $(call flags,PURGE) $(call passed_on,$(PLAYBOOK_OPTIONS))

# --- faults ----------------------------------------------------------------------------------
.PHONY: test-faults
takes_test-faults = SOAK_SECONDS
test-faults: $(VENV)/.dev ## Test many kinds of faults, and write docs/faults.md (needs root on Debian; SOAK_SECONDS=3600)
	$(BIN)/python -m tests.faults

# --- weaknesses of dependencies ----------------------------------------------------------------
.PHONY: audit
takes_audit = ADVISORIES
audit: $(VENV)/.dev ## Look up known weaknesses of the locked packages (ADVISORIES=mirror or file)
	@exec $(BIN)/python -m tests.audit $(if $(value ADVISORIES),--advisories $(call quoted,ADVISORIES))

# --- benchmark -------------------------------------------------------------------------------
$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	$(call install,requirements/bench.txt,the other load generators)
	@touch $@

.PHONY: bench
takes_bench = BENCH
bench: $(VENV)/.bench ## Compare load generators on two quiet cores, and write docs/benchmark.md (BENCH="--only HTTPS")
	tests/install-packages nginx-light wrk nghttp2-client openssl
	$(BIN)/python -m tests.bench $(BENCH)

# --- what is typed ------------------------------------------------------------------------------
# A name that no target of the command line takes is a mistake, and nobody would notice that it changes nothing.
goals := $(or $(MAKECMDGOALS),help)
# A shell may hold names like LINES for itself; HOST_LIMIT it can't, and `make stop` knows no limit.
limit := $(if $(filter environment%,$(origin HOST_LIMIT)),$(if $(filter status stop,$(goals)),HOST_LIMIT))
unknown := $(firstword $(filter-out $(taken_everywhere) $(foreach goal,$(goals),$(takes_$(goal))),$(typed) $(limit)))
space := $(subst ,, )
ifneq ($(unknown),)
takers := $(sort $(foreach one,$(filter takes_%,$(.VARIABLES)),$(if $(filter $(unknown),$($(one))),$(one:takes_%=%))))
near := $(if $(takers),,$(shell $(PYTHON) -c 'import difflib, sys; print(*difflib.get_close_matches(sys.argv[1].upper(), sys.argv[2:], 1))' \
  $(call quoted,unknown) $(foreach goal,$(goals),$(takes_$(goal)))))
$(error make $(goals) doesn't take $(unknown)$(if $(takers),: it is for make $(subst $(space),$(comma) ,$(takers)),$(if $(near),: is $(near) meant?,; \
  set a variable that your scenario reads before the word make$(comma) such as $(unknown)=… make $(goals)))$(if $(near),,.) Nothing was started)
endif
unclear := $(firstword $(foreach name,$(filter $(FLAGS),$(typed)),$(if $(filter-out $(ON) 0 no false,$(value $(name))),$(name))))
ifneq ($(unclear),)
$(error $(unclear)=$(value $(unclear)) can't be used: give $(unclear)=1 or $(unclear)=0. Nothing was started)
endif

# loadgen's messages name what was typed, so it is told its targets and what they call its options.
verbs := $(filter-out test-% audit bench coverage,$(patsubst takes_%,%,$(filter takes_%,$(.VARIABLES))))
names := $(filter-out ENV LOCUST_OPTIONS PLAYBOOK_OPTIONS,$(sort $(foreach verb,$(verbs),$(takes_$(verb)))))
$(verbs): export LOADGEN_MAKE_TARGETS = $(verbs)
$(verbs): export LOADGEN_MAKE_VARIABLES = $(foreach name,$(names),$(name)$(if $(filter $(name),$(FLAGS)),=1))
