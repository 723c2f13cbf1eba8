#!/bin/sh
# Generates the gRPC code beside essence/rpc/v1/*.proto, or into another folder: scripts/generate-protos.sh [FOLDER]
set -eu
cd "$(dirname "$0")/.."
out="${1:-.}"
python="${PYTHON:-.venv/bin/python}"
[ -x "$python" ] || python=python3
PATH="$(dirname "$python"):$PATH" "$python" -m grpc_tools.protoc --proto_path=. \
    --python_out="$out" --grpc_python_out="$out" --mypy_out="quiet:$out" --mypy_grpc_out="quiet:$out" \
    essence/rpc/v1/*.proto
