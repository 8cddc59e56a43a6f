# `make` alone lists what there is. `make test PYTHON=python3.12` chooses the interpreter, ARGS='…' goes to the program.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help package-graph demo demo-distributed wheel test test-all list-test-all test-timed test-threads test-derivatives test-checked test-cuda test-gpu test-machines test-lanes test-numba test-packages test-doors test-distributed search mutations reliability test-boundaries test-gradients \
	test-random-programs test-bad-input test-hostile-files test-faults test-memory test-accuracy test-versions lint lint-rules lint-format lint-words lint-types lint-imports names conformance conformance-suites \
	bench bench-quick bench-compare bench-distributed gate asv-machine peers-env peers gradbench tables dashboard performance clean

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

ENVIRONMENT = PYTHON='$(PYTHON)' tools/environment.sh .venv
PYTHON_HERE = .venv/bin/python
# A process for each processor (`tests/conftest.py` counts them), up to eight; a process without tests takes half of another's.
SIDE_BY_SIDE = -n auto --maxprocesses 8 --dist worksteal
# asv keeps a file about the machine in the home folder, and asks questions when there is none.
ASV = HOME='$(CURDIR)/.asv/home' $(PYTHON_HERE) -m asv
# TensorFlow and Keras are asked in an environment of their own, which the tests find by a variable.
REFEREE = PYTHON='$(PYTHON)' PYTHON_BELOW=3.14 tools/environment.sh .venv-conformance conformance && $(ENVIRONMENT) test
test-gradients test-random-programs: export FASTGRAD_REFEREE_PYTHON = $(wildcard $(CURDIR)/.venv-conformance/bin/python)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

demo: ## train on the handwritten digits and draw the learning curve
	@$(ENVIRONMENT) examples
	@$(PYTHON_HERE) examples/digits.py $(ARGS)

demo-distributed: ## train the digits on two ranks of MPI and in one process, and draw both losses
	@$(ENVIRONMENT) examples,mpi
	@$(PYTHON_HERE) examples/distributed_demo.py $(ARGS)

# Tests that need another environment, launcher or much time have targets of their own.
OTHER_TARGETS = tests/cuda tests/distribute tests/reliability/random_programs
# Side by side tests have one thread each; those of threads run with all of them.
IN_ONE_PROCESS = tests/kernels/runtime tests/test_threads_and_fork.py
DERIVATIVES = tests/derivatives
# Without FULL=1 a run selects a shard of the tests, which the commit's tree names (tests/selection.py).
SHARDS = 12
SHARD_OF = $(if $(FULL),,--shards $(1) $(if $(SHARD),--shard $(SHARD)))
WHOLE_IF_CHANGED = $(if $(CHANGED),--whole-if-changed)
MODULES_OF = $(if $(FULL),,$(call SHARD_OF,$(1)) --by-module)
# A dot for each test, a line for each failure, and one for each of the ten slowest that took more than 5 s.
BRIEFLY = -q --no-header -rfE --durations=10 --durations-min=5
PYTEST = $(PYTHON_HERE) -m pytest $(BRIEFLY)

test: ## run a shard of the tests, in some minutes (FULL=1: all of them; CHANGED=1: also all that the last commits concern); ARGS=tests/… runs others
	@$(ENVIRONMENT) test
	@$(PYTEST) $(SIDE_BY_SIDE) $(if $(findstring tests/,$(ARGS)),,$(call SHARD_OF,$(SHARDS)) $(WHOLE_IF_CHANGED) $(patsubst %,--ignore=%,$(OTHER_TARGETS) $(IN_ONE_PROCESS))) $(ARGS)
	@$(if $(findstring tests/,$(ARGS)),:,$(PYTEST) $(IN_ONE_PROCESS))

# In the order of `.ci/run`, which calls each.
ALL_TESTS = test test-threads test-random-programs test-numba test-checked test-cuda test-lanes test-distributed

test-all: export CHANGED := 1
test-all: $(ALL_TESTS) ## run all kinds of tests, a shard of each and what the last commits concern (FULL=1: all shards)

list-test-all:
	@echo $(ALL_TESTS)

test-timed: ## run the tests that compare times, on an idle machine
	@$(ENVIRONMENT) test
	@$(PYTEST) -m timed $(ARGS)

test-threads: ## run the tests of whole programs again, with all threads (a third; FULL=1: all)
	@$(ENVIRONMENT) test
	@$(PYTEST) $(call MODULES_OF,3) tests/compiler/programs $(ARGS)

test-derivatives: ## run all tests of derivatives of Numba functions
	@$(ENVIRONMENT) test
	@$(PYTEST) $(SIDE_BY_SIDE) $(DERIVATIVES) $(ARGS)

test-checked: ## run the tests of kernels, operations and programs with every access of memory checked (a twelfth; FULL=1: all)
	@$(ENVIRONMENT) test
	@FASTGRAD_CHECK_BOUNDS=1 $(PYTEST) $(SIDE_BY_SIDE) $(call MODULES_OF,12) tests/kernels tests/ops tests/compiler $(ARGS)
	@FASTGRAD_CHECK_BOUNDS=1 $(PYTEST) $(call MODULES_OF,12) tests/kernels/runtime tests/compiler/programs $(ARGS)

# The long forms of tests/reliability, each a part of docs/reliability.md; `make test` runs the short ones.
RELIABILITY = $(PYTHON_HERE) -m pytest --full

test-boundaries: ## try every kernel at every border of its blocks, vectors and threads
	@$(ENVIRONMENT) test
	@$(RELIABILITY) $(SIDE_BY_SIDE) tests/reliability/boundaries $(ARGS)

test-gradients: ## compare every gradient with TensorFlow's and with central differences
	@$(REFEREE)
	@$(RELIABILITY) $(SIDE_BY_SIDE) tests/reliability/gradients $(ARGS)

test-random-programs: ## run 240 random programs (FULL=1: 20,000) eager, compiled, vectorised and on TensorFlow; differentiate 30 (20,000) Numba functions
	@$(REFEREE) || { $(if $(FULL),exit 1,echo "TensorFlow could not be installed: random programs are not compared with it"); $(ENVIRONMENT) test; }
	@$(PYTHON_HERE) -m pytest $(if $(FULL),--full) $(SIDE_BY_SIDE) tests/reliability/random_programs $(ARGS)

# Other targets draw by the commit's tree; what this one finds becomes a test with a name.
search: export FASTGRAD_RANDOM_SEED := $(shell date +%s)
search: ## look for defects with fresh draws: random programs, random derivatives, wrong calls, sizes at borders
	@$(REFEREE)
	@echo "FASTGRAD_RANDOM_SEED=$$FASTGRAD_RANDOM_SEED draws the same again"
	@$(PYTHON_HERE) -m pytest $(SIDE_BY_SIDE) tests/reliability/random_programs tests/reliability/boundaries tests/reliability/bad_input/test_fuzz.py \
		tests/derivatives/test_gradients.py tests/derivatives/test_checkpoints.py $(ARGS)

test-bad-input: ## make wrong calls of every public family, and fuzz the checks of arguments
	@$(ENVIRONMENT) test
	@$(RELIABILITY) $(SIDE_BY_SIDE) tests/reliability/bad_input $(ARGS)

test-hostile-files: ## give damaged and malicious files to every reader
	@$(ENVIRONMENT) test,parquet
	@$(RELIABILITY) $(SIDE_BY_SIDE) tests/reliability/hostile_files $(ARGS)

test-faults: ## kill processes, fill disks, fail allocations, interrupt steps
	@$(ENVIRONMENT) test
	@$(RELIABILITY) tests/reliability/faults $(ARGS)

test-memory: ## replay a million times, change shapes, define steps again: memory stays flat
	@$(ENVIRONMENT) test
	@$(RELIABILITY) tests/reliability/memory $(ARGS)

test-accuracy: ## measure the error of every function, sum and statistic, and compare threads
	@$(ENVIRONMENT) test
	@$(RELIABILITY) $(SIDE_BY_SIDE) tests/reliability/accuracy $(ARGS)

mutations: ## make seeded defects in src, and count those that the tests find (ARGS='--count 100 --seed 7')
	@$(ENVIRONMENT) test,mutations
	@$(PYTHON_HERE) tools/mutations.py $(ARGS)

reliability: ## make docs/reliability.md of the figures of the parts above
	@$(ENVIRONMENT) test
	@$(PYTHON_HERE) -m tests.reliability.page

test-machines: ## run kernels on emulated ARM and AVX2 processors, and with other widths of vectors
	@$(ENVIRONMENT) test
	@$(RELIABILITY) tests/reliability/machines $(ARGS)

test-lanes: ## run the tests of kernels with vectors of 4 and 8 lanes (a third; FULL=1: all)
	@$(ENVIRONMENT) test
	@for lanes in 4 8; do echo "vectors of $$lanes float32 lanes"; FASTGRAD_LANES=$$lanes $(PYTEST) $(SIDE_BY_SIDE) $(call MODULES_OF,3) \
		tests/kernels/test_properties.py tests/kernels/gemm tests/jit/test_bounds.py $(ARGS) || exit 1; done

# Ranks take all processors, so that tests run one by one.
test-distributed: ## run the tests of tf.distribute, on 2 to 4 ranks under MPI's launcher (a quarter; FULL=1: all)
	@$(ENVIRONMENT) test
	@$(PYTEST) $(call MODULES_OF,4) $(WHOLE_IF_CHANGED) tests/distribute $(ARGS)

test-versions: ## run the suite with the lowest Python and dependencies, with the newest, and with vectors of 4 and 8 lanes
	@$(ENVIRONMENT) test
	@$(PYTHON_HERE) -m tests.reliability.machines $(ARGS)

# Bodies, functions of numbers, tiles, emitted groups, users' functions, whole steps and derivatives: all that is asked of Numba.
NUMBA_TESTS = tests/jit tests/kernels/math tests/kernels/gemm tests/compiler/fusion tests/compiler/test_optimizer_steps.py tests/custom_operations \
	$(patsubst %,tests/derivatives/test_%.py,$(NUMBERS_OF_DERIVATIVES) disk_cache exceptional_exits exponential inferred_callees numba_canaries ordered_sums plain_numba stages typed_functions)
# Derivatives' values and gradients, which are the same by Numba's own pipeline; the others are about what fastgrad puts in its place.
NUMBERS_OF_DERIVATIVES = callees complex_numbers gradients language linear_algebra matrix_products parallel_loops random_draws second_derivatives special_functions
PLAIN_TESTS = $(patsubst %,tests/derivatives/test_%.py,$(NUMBERS_OF_DERIVATIVES))

test-numba: ## run the tests of the compiler and of derivatives with the oldest Numba that fastgrad takes, in an environment of its own (a sixth; FULL=1: all, and derivatives by Numba's own pipeline)
	@PYTHON='$(PYTHON)' tools/environment.sh .venv-numba test,oldest
	@.venv-numba/bin/python -m pytest $(SIDE_BY_SIDE) $(BRIEFLY) $(call MODULES_OF,6) $(NUMBA_TESTS) $(ARGS)
	@$(if $(FULL),FASTGRAD_PLAIN_NUMBA=1 .venv-numba/bin/python -m pytest $(SIDE_BY_SIDE) $(BRIEFLY) $(PLAIN_TESTS) $(ARGS))

test-packages: ## check the derivatives of packages' Numba functions, in an environment of its own; writes docs/numba_packages.md (ARGS='arch hmmkay')
	@PYTHON='$(PYTHON)' tools/environment.sh .venv-packages packages
	@.venv-packages/bin/python tests/packages $(ARGS)

# Functions of Numba in the models of other libraries: PyTensor and PyMC, PyTorch, JAX.
test-doors: ## run the tests of fastgrad.pytensor, fastgrad.torch and fastgrad.jax, in an environment of its own
	@PYTHON='$(PYTHON)' tools/environment.sh .venv-doors test,doors
	@.venv-doors/bin/python -m pytest $(BRIEFLY) tests/derivatives/bridges/test_pytensor.py tests/derivatives/bridges/test_torch.py tests/derivatives/bridges/test_jax.py $(ARGS)
	@.venv-doors/bin/python -m pytest $(BRIEFLY) tests/test_examples.py -k 'pymc or numpyro'

test-cuda: ## compile kernels for NVIDIA GPUs to machine code (brings numba-cuda) and run them in simulation (a quarter; FULL=1: all)
	@$(ENVIRONMENT) test,cuda
	@$(PYTEST) $(SIDE_BY_SIDE) $(call MODULES_OF,4) $(WHOLE_IF_CHANGED) tests/cuda $(ARGS)

test-gpu: ## run the tests that need an NVIDIA GPU, and say why they are skipped where there is none
	@$(ENVIRONMENT) test,cuda
	@$(PYTHON_HERE) -m pytest -m gpu tests/cuda $(ARGS)

lint: lint-rules lint-format lint-words lint-types lint-imports ## check style, format, words, types and import arrows

lint-rules:
	@$(ENVIRONMENT) lint
	@$(PYTHON_HERE) -m ruff check

lint-format:
	@$(ENVIRONMENT) lint
	@$(PYTHON_HERE) -m ruff format --check

lint-words:
	@$(ENVIRONMENT) lint
	@$(PYTHON_HERE) tools/plain_words.py
	@$(PYTHON_HERE) tools/names_in_text.py

lint-types:
	@$(ENVIRONMENT) lint
	@$(PYTHON_HERE) -m mypy

lint-imports:
	@$(ENVIRONMENT) lint
	@$(PYTHON_HERE) -c 'from importlinter.cli import lint_imports_command as run; run()'

conformance: ## compare with real TensorFlow, in an environment of its own
	@PYTHON='$(PYTHON)' PYTHON_BELOW=3.14 tools/environment.sh .venv-conformance conformance
	@$(ENVIRONMENT) test
	@FASTGRAD_REFEREE_PYTHON='$(CURDIR)/.venv-conformance/bin/python' $(PYTHON_HERE) -m pytest tests/conformance tests/core/test_names.py tests/keras/saving $(ARGS)

package-graph: ## write into docs/design.md which packages import which
	@$(ENVIRONMENT) test
	@$(PYTHON_HERE) tools/package_graph.py

names: ## write the table of the names of TensorFlow and Keras, and the pages that list them
	@PYTHON='$(PYTHON)' PYTHON_BELOW=3.14 tools/environment.sh .venv-conformance conformance
	@.venv-conformance/bin/python tools/names_table.py --peers
	@$(ENVIRONMENT) test
	@$(PYTHON_HERE) tools/names_table.py

conformance-suites: ## run the tests of copies of the peers: KERAS=folder TENSORFLOW=folder; writes docs/conformance.md
	@PYTHON='$(PYTHON)' PYTHON_BELOW=3.14 tools/environment.sh .venv-conformance conformance,suites
	@$(ENVIRONMENT) test,suites
	@$(PYTHON_HERE) -m tests.conformance.suites $(if $(KERAS),--keras '$(KERAS)') $(if $(TENSORFLOW),--tensorflow '$(TENSORFLOW)') $(ARGS)

wheel: ## build a wheel with the library's kernels compiled for all levels of processors of this architecture, in dist/
	@$(ENVIRONMENT) test
	@FASTGRAD_KERNELS=all $(PYTHON_HERE) -m pip wheel --no-deps --wheel-dir dist . && ls -l dist

# Kernels that the tests have compiled are not compiled again: `tests/conftest.py` names the same folder.
bench-quick gate: export FASTGRAD_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/fastgrad-tests/kernels

bench: asv-machine ## run the asv suite on the checked-out commit; results go to benchmarks/results/asv
	@$(ASV) run --python=same --machine "$$($(PYTHON_HERE) -m benchmarks.machine)" \
		--set-commit-hash "$$(git rev-parse HEAD)" --show-stderr --attribute rounds=1 $(ARGS)
	@$(PYTHON_HERE) -m benchmarks.history

bench-quick: ## run each benchmark of the suite once, to see that it works; keeps no results (a twelfth of the modules; FULL=1: all)
	@$(ENVIRONMENT) test
	@$(MAKE) --no-print-directory bench ARGS='--quick --dry-run $(if $(FULL),,--bench "$(shell .venv/bin/python -m tests.selection 12 benchmarks)") $(ARGS)'

bench-compare: asv-machine ## compare the checked-out commit with BASE=…, in environments of their own, rounds interleaved
	@test -n '$(BASE)' || { echo 'name what to compare with: make bench-compare BASE=main [ARGS="--bench training"]' >&2; exit 1; }
	@$(ASV) continuous --config benchmarks/compare.conf.json --interleave-rounds --split \
		--machine "$$($(PYTHON_HERE) -m benchmarks.machine)" '$(BASE)' HEAD $(ARGS)

bench-distributed: ## time data-parallel steps beside PyTorch's, project them to 64 hosts; writes docs/distributed.md
	@$(ENVIRONMENT) benchmarks
	@$(PYTHON_HERE) -m benchmarks.distributed $(ARGS)
	@$(PYTHON_HERE) -m benchmarks.projection

gate: ## fail on a slow-down that is certain: times over NumPy's, instructions by valgrind where it is
	@$(ENVIRONMENT) benchmarks
	@$(PYTHON_HERE) -m benchmarks.gate $(ARGS)

asv-machine:
	@$(ENVIRONMENT) benchmarks
	@mkdir -p .asv/home
	@$(ASV) machine --yes --machine "$$($(PYTHON_HERE) -m benchmarks.machine)" >.asv/machine.log

peers-env: ## make the environment of TensorFlow, PyTorch and JAX, .venv-peers
	@PYTHON='$(PYTHON)' PYTHON_BELOW=3.14 tools/environment.sh .venv-peers benchmarks/peers/requirements.txt benchmarks/peers/first.txt

peers: ## compare with those of TensorFlow, PyTorch and JAX that are there (QUICK=1: in ten minutes, not ninety)
	@$(ENVIRONMENT) benchmarks
	@$(PYTHON_HERE) -m benchmarks.peers $(if $(QUICK),--quick,--minutes 70) $(ARGS)
	@$(if $(QUICK)$(ARGS),:,$(PYTHON_HERE) -m benchmarks.peers.scaling --minutes 18)

gradbench: ## compare derivatives of GradBench's problems with the tools of a copy of it: GRADBENCH=folder
	@$(ENVIRONMENT) benchmarks
	@$(PYTHON_HERE) -m benchmarks.gradbench $(if $(GRADBENCH),--gradbench '$(GRADBENCH)') $(ARGS)

tables: ## measure products, eager operations, threads, first calls, memory ..., and keep what is printed
	@$(ENVIRONMENT) benchmarks
	@$(PYTHON_HERE) -m benchmarks.tables $(ARGS)

dashboard: ## make the page of all committed results, site/index.html, and asv's site beside it
	@$(ENVIRONMENT) benchmarks
	@HOME='$(CURDIR)/.asv/home' $(PYTHON_HERE) -m benchmarks.dashboard $(ARGS)

performance: ## make docs/performance.md from the committed results
	@$(ENVIRONMENT) benchmarks
	@$(PYTHON_HERE) -m benchmarks.dashboard.performance

clean: ## remove the environments and caches that this Makefile made
	rm -rf .venv .venv-conformance .venv-doors .venv-numba .venv-packages .venv-peers site .asv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
