#!/bin/sh
# Compiles requirements/*.txt from pyproject.toml: scripts/lock.sh [--upgrade] [other options of `uv pip compile`]
# Pins that still fit stay as they are, unless --upgrade is given. No index address gets into the files.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}

compile() { # OUTPUT OPTIONS… INPUT
    output="requirements/$1.txt"
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links --output-file "$output" "$@"
}

# dev comes first and binds the others: all three are installed side by side.
compile dev --all-extras --group dev "$@" pyproject.toml
compile runtime --all-extras --constraints requirements/dev.txt "$@" pyproject.toml
compile bootstrap --constraints requirements/dev.txt "$@" requirements/bootstrap.in
