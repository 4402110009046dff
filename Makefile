# Each target does all its own set-up; what it installs goes to $VITALS_CACHE, ~/.cache/vitals by default.
# Needed: Rust, a C compiler, Python 3 and Node.

PYTHON ?= python3

.PHONY: help demo test bench lint check
.NOTPARALLEL:

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z%-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## The pretend organisation, a day of runs, and the points that are then in the store
	cargo run --locked --package vitals -- demo

test: ## Every test: ours, then each part that puts a real third-party piece beside ours
	$(PYTHON) tests/real/run.py

test-%: ## One part of them: cargo, graphql, rest, datadog, clients, asana, wandb_api, aws, lambda, sqlite or skypilot
	$(PYTHON) tests/real/run.py $*

bench: ## Each figure beside its budget, on the function as it is deployed
	cargo build --locked --profile deploy --package bench $(patsubst functions/%/,--package %,$(wildcard functions/*/)) --bins
	"$${CARGO_TARGET_DIR:-target}/deploy/bench"

lint: ## Format, clippy, documentation, dependencies, generated files
	$(PYTHON) tests/real/lint.py

# The word behind `make check` is a crate and no target of its own.
crate := $(filter-out check,$(MAKECMDGOALS))

check: ## One crate while you work on it: format, lints, unit tests, e.g. make check github
	@test -n "$(crate)" || { echo "name a crate, e.g. make check github"; exit 2; }
	cargo fmt --package $(crate)
	cargo clippy --locked --package $(crate) --all-targets -- -D warnings
	cargo test --locked --package $(crate) $(if $(filter vitals bench,$(crate)),--bins,--lib)

ifeq (check,$(firstword $(MAKECMDGOALS)))
$(crate):
	@:
endif
