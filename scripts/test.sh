#!/bin/sh
# Sets up what is missing and runs every check: scripts/test.sh [options of pytest]
# For example: scripts/test.sh -k fence, scripts/test.sh -m 'not model', scripts/test.sh tests/unit
set -eu
cd "$(dirname "$0")/.."
scripts/setup.sh --dev
.venv/bin/python -m essence download-models --set test
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/lint-imports --no-logo
exec .venv/bin/pytest "$@"
