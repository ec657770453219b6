# The kit's commands for people who like make; ./lab is the same for everybody else.
.DEFAULT_GOAL := help
.PHONY: help setup demo grade solution handout quick test verify lint bench clean

PYTHON_IN_VENV = .venv/bin/python
STUDENT ?= ada@uni.edu
ENGINE ?= cloudformation
# The shell gets them as variables, quoted: whatever they hold is one word there, and no command.
export STUDENT ENGINE TARGET REGION ONLY GAP
# More tests at once than a small machine has cores: many of them wait for a boot, a time-out, a provider.
SIDE_BY_SIDE = -n 4 --no-loadscope-reorder
# What Python compiled, and pytest rewrote, is kept: each worker, and each command that a test starts, would do it again.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

setup: ## Make the project's own environment in .venv
	@sh ./lab setup

demo: setup ## Watch the whole lab once, with the reference solution (ENGINE=terraform for the other)
	@sh ./lab demo --engine "$$ENGINE"

grade: setup ## Judge STUDENT's lab (TARGET=deployed or aws, ENGINE=terraform, ONLY=line, GAP=name)
	@sh ./lab grade --student "$$STUDENT" $(if $(SOLUTION),--solution) $(if $(TARGET),--target "$$TARGET") \
	  $(if $(filter command line environment,$(origin ENGINE)),--engine "$$ENGINE") \
	  $(if $(REGION),--region "$$REGION") $(if $(ONLY),--only "$$ONLY") $(if $(GAP),--gap "$$GAP")

solution: setup ## Deploy the reference solution for STUDENT with ENGINE and leave it running (TARGET=aws, REGION=)
	@sh ./lab generate --student "$$STUDENT" --solution --engine "$$ENGINE"
	@sh ./lab deploy --student "$$STUDENT" --solution --engine "$$ENGINE" $(if $(TARGET),--target "$$TARGET") \
	  $(if $(REGION),--region "$$REGION")

handout: setup ## Make dist/hybrid-lab.zip for students: no solution, no hidden checks, no tests
	@sh ./lab handout

quick: setup ## Run the unit tests that start no process: while you write
	@$(PYTHON_IN_VENV) -m tests.prepare tests/unit
	@$(PYTHON_IN_VENV) -m pytest -q -n 2 -m "not processes and not slow and not verify" tests/unit

test: setup ## Run all tests
	@$(PYTHON_IN_VENV) -m tests.prepare tests
	@$(PYTHON_IN_VENV) -m pytest -q $(SIDE_BY_SIDE) --durations=20

verify: setup ## Run the long proofs as well (more than an hour)
	@$(PYTHON_IN_VENV) -m pytest -q $(SIDE_BY_SIDE) -m "verify or not verify"

lint: setup ## Check style, types and who imports whom
	@$(PYTHON_IN_VENV) -m ruff check .
	@$(PYTHON_IN_VENV) -m ruff format --check .
	@$(PYTHON_IN_VENV) -m mypy
	@.venv/bin/lint-imports --no-logo --no-cache

bench: setup ## Measure, against the floor in the same run
	@$(PYTHON_IN_VENV) -m bench

clean: ## Stop the local cloud and remove what the kit made, but for your work/
	@if [ -x $(PYTHON_IN_VENV) ]; then sh ./lab cloud stop --forget; fi
	@rm -rf .lab .pytest_cache .mypy_cache .ruff_cache .hypothesis
