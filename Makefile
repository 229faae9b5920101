# The front door. Each target calls one script in scripts/, which opens with why it exists.
# `make` alone lists the targets.

.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench build dist collection packages unit argspec-conformance lint molecule crash-test detection-table venv bootstrap lab-down clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## boot a lab with a real broker and run the broker test on it (PULP=3 is the other one; ARGS='--check' and the like reach ansible-playbook)
	scripts/demo $(ARGS)

test: ## everything that must hold before a change lands: lint, build, unit and contract tests, labs
	scripts/test

test-all: ## the same with every molecule scenario, the slow ones too
	scripts/test --all

bench: ## measure what was promised: size, cost of calls and observer, the report, recoveries, times (ONLY=)
	scripts/bench

build: ## the static release binary, and its name for each module in library/ (ARCH=aarch64: in library-aarch64/)
	scripts/bootstrap build
	scripts/build

dist: collection ## an archive of what users need, and the collection, with checksums, in dist/
	scripts/dist

collection: venv ## the Ansible collection pulp_broker.test, for both architectures, in dist/
	scripts/build-all
	scripts/collection

packages: collection ## what is packed holds by itself: the same bytes each time, installed and run, each host its own build
	scripts/packages

unit: venv build ## Rust tests: units, and contract tests on the built static binary (ARCH=aarch64: those, under qemu)
	scripts/unit

argspec-conformance: venv build ## what the modules accept and say, against Ansible's own validator (N=2000 cases a module, SEED=)
	scripts/argspec-conformance

lint: venv ## formatting, lints, licences, shell, YAML, playbooks
	scripts/lint

molecule: venv ## labs under molecule (ARGS='default defects' names scenarios, nothing means all)
	scripts/bootstrap lab
	scripts/build-all
	scripts/molecule $(ARGS)

crash-test: venv build ## kill whoever takes part in an outage, at random instants (N=100, SEED=, LABS=, VICTIMS=)
	scripts/bootstrap lab
	scripts/crash-test

detection-table: venv build ## what the play names on Pulps that are broken in a known way, live (N=20, ONLY=, PULP=3, LABS=, LOAD=12, WRITE=, RECORD=)
	scripts/bootstrap lab
	scripts/detection-table

venv: ## Ansible and the checking tools, pinned, in .cache/venv
	scripts/bootstrap venv
	scripts/venv

bootstrap: ## install what this machine lacks, or name it
	scripts/bootstrap

lab-down: ## remove the lab that `make demo` left running
	molecule/shared/lab/lab.sh down demo

clean: ## remove everything that was built or cached here; labs and system packages stay
	scripts/clean
