# Two commands for a newcomer: `make demo` and `make test`. Each makes its own virtual environment under .venv/.
# PYTHON picks the interpreter (3.10 to 3.13), TORCH the build of PyTorch that is installed.
PYTHON ?= python3
TORCH ?= torch==2.13.0
DEMO := .venv/demo
TEST := .venv/test
# How many tests run at a time: one a core, at most four, each with one thread of PyTorch's.
TESTS_AT_A_TIME := -n auto --maxprocesses 4 --dist loadfile
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint clean

demo: $(DEMO)/.installed
	$(DEMO)/bin/python examples/demo.py

test: $(TEST)/.installed
	OMP_NUM_THREADS=1 $(TEST)/bin/python -m pytest $(TESTS_AT_A_TIME) $(ARGS)

lint: $(TEST)/.installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

$(DEMO)/.installed: pyproject.toml setup.py
	$(call virtual_environment,$(DEMO))
	@echo "Installing Turnwise with the llm and plot extras into $(DEMO) (the download of PyTorch takes the longest)"
	$(DEMO)/bin/python $(PIP) "$(TORCH)"
	$(DEMO)/bin/python $(PIP) -e ".[llm,plot]"
	@touch $@

$(TEST)/.installed: pyproject.toml setup.py
	$(call virtual_environment,$(TEST))
	@echo "Installing Turnwise with the test extra into $(TEST) (the download of PyTorch takes the longest)"
	$(TEST)/bin/python $(PIP) "$(TORCH)"
	$(TEST)/bin/python $(PIP) -e ".[test]"
	@touch $@

define virtual_environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "Turnwise needs Python 3.10 or newer; choose one with: make $@ PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(1) \
		|| { echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(1)/bin/python $(PIP) --upgrade pip "setuptools>=77" wheel
endef

clean:
	rm -rf .venv build dist runs *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
