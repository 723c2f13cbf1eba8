#!/bin/sh
# Writes .env.example from the settings in essence/config/, or to another file: scripts/generate-env-example.sh [FILE]
set -eu
cd "$(dirname "$0")/.."
.venv/bin/python -c 'from essence import config; print(config.env_example(), end="")' >"${1:-.env.example}"
