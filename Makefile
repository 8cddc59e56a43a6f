# The usual commands; `make` alone lists them. Each is a session of noxfile.py, which says what it runs and in which environment.
# `make sessions` lists the other sessions: `make NAME` runs those, too. ARGS='…' goes to the program, PYTHON=python3.12 chooses the interpreter.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help sessions test-all clean FORCE

# Settings of the surroundings that would change which code runs, or drop its asserts.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONOPTIMIZE PYTHONWARNINGS PYTHONSAFEPATH PYTHONPLATLIBDIR
unexport PYTHONINSPECT PYTHONDEVMODE PYTHONIOENCODING PYTHONEXECUTABLE PYTEST_ADDOPTS PYTEST_PLUGINS
unexport VIRTUAL_ENV __PYVENV_LAUNCHER__ MYPYPATH NUMBA_DISABLE_JIT MPLBACKEND
# Bytecode of tests is kept: to make it takes as long as all else that finds them.
unexport PYTHONDONTWRITEBYTECODE
export PYTHONNOUSERSITE := 1
ifeq ($(origin PYTHON),environment)
  PYTHON :=
endif
ifeq ($(origin ARGS),environment)
  ARGS :=
endif

NOX = @PYTHON='$(PYTHON)' tools/environment.sh .venv nox && .venv/bin/python -m nox
SESSION = $(NOX) --session $@ -- $(ARGS)

help: ## list the usual commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

sessions: ## list all sessions; make NAME runs one
	$(NOX) --list

demo: FORCE ## train on the handwritten digits and draw the learning curve
	$(SESSION)

test: FORCE ## run a shard of the tests, in some minutes (FULL=1: all of them); ARGS=tests/ops runs those of a path
	$(SESSION)

test-all: export CHANGED := 1
test-all: FORCE ## run all kinds of tests, a shard of each and what the last commits concern (FULL=1: all shards)
	$(NOX) --tags test-all

lint: FORCE ## check style, format, words, types and import arrows
	$(SESSION)

conformance: FORCE ## compare with real TensorFlow
	$(SESSION)

record: FORCE ## ask TensorFlow for the recorded answers that are missing or stale
	$(SESSION)

wheel: FORCE ## build a wheel with compiled kernels, in dist/
	$(SESSION)

bench: FORCE ## run the benchmarks on the checked-out commit
	$(SESSION)

bench-compare: FORCE ## compare the checked-out commit with BASE=…
	$(SESSION)

gate: FORCE ## fail on a slow-down that is certain
	$(SESSION)

peers: FORCE ## compare times with those of TensorFlow, PyTorch and JAX (QUICK=1: in ten minutes)
	$(SESSION)

dashboard: FORCE ## make the page of all committed results, site/index.html
	$(SESSION)

docs: FORCE ## build the documentation site, site/docs/index.html
	$(SESSION)

clean: ## remove the environments and caches that these commands made
	rm -rf .venv .venv-* site .asv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# Any other name is a session's, and no file that make could make.
%: FORCE
	$(SESSION)

FORCE:
Makefile: ;
