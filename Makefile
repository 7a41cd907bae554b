# hwcensus: what a developer types. Each target is one line or one script of .ci/.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo test check bench lab requirements schema venv system kafka image clean
bin := .venv/bin

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

demo: ## this machine's census live, from kernel to console (KEEP=1 leaves it running)
	@.ci/venv runtime
	@KEEP=$(KEEP) compose/demo.sh

test: system venv kafka image check ## all checks and all tests; brings what they need (ARGS="-k name" for some)
	@.ci/tests $(ARGS)

check: venv ## style, types, who imports whom, dead code
	$(bin)/ruff check --quiet
	$(bin)/ruff format --check --quiet
	$(bin)/mypy
	$(bin)/lint-imports --no-logo
	$(bin)/vulture

lab: system venv image ## a real kernel's devices come, change and go (ARGS="-k name" for some)
	$(bin)/pytest tests/lab $(ARGS)

bench: venv kafka ## our figures beside the limits (ONLY=name for one)
	$(bin)/python -m tests.bench $(ONLY)

requirements: ## pin what pyproject.toml asks for (UPGRADE=1 for newer versions)
	@UPGRADE=$(UPGRADE) .ci/requirements

schema: venv ## write what follows from the device classes: the RELAX NG files, docs/facts.md
	$(bin)/python -m hwcensus.schema
	$(bin)/python -m hwcensus_agent.describe.facts_page > docs/facts.md

venv: ## the Python environment in .venv
	@.ci/venv dev

system: ## the system packages that tests need, where that is allowed
	@.ci/system

kafka: ## the jars of a real Kafka, by Maven, once
	@compose/kafka/run --fetch

image: venv ## the lab guest's image, kept in the user's cache, once
	@$(bin)/python -m tests.lab.image

clean: ## remove what was made: environment, builds, caches
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find agent collector common migrations tests -name __pycache__ -prune -exec rm -rf {} +
