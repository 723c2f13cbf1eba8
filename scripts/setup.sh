#!/bin/sh
# Sets up .venv from the hash-pinned lock: scripts/setup.sh [--dev]
# It needs git and Python 3.11 to 3.13. Run again, it does nothing unless the lock has changed.
set -eu
cd "$(dirname "$0")/.."

lock=runtime
if [ "${1:-}" = --dev ]; then lock=dev; fi

say() { echo "setup: $*" >&2; }
fail() { say "$@"; exit 1; }

# What an installed environment is made from. The locks are a few hundred kilobytes: hashing them takes milliseconds.
fingerprint() { cat "requirements/$1.txt" requirements/bootstrap.txt pyproject.toml | cksum; }

stamp=.venv/june-setup
installed=$(cat "$stamp" 2>/dev/null || true)
if [ -x .venv/bin/python ]; then
    if [ "$installed" = "dev $(fingerprint dev)" ]; then exit 0; fi # dev holds all of runtime
    if [ "$installed" = "$lock $(fingerprint "$lock")" ]; then exit 0; fi
fi

find_python() {
    for name in python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "June needs Python 3.11, 3.12 or 3.13, and none is installed. On Debian 12, Ubuntu 24.04 or later:" \
        "sudo apt-get install python3 python3-venv"
}

# Installs a Debian package if this user may, else ends with the command that does it: PACKAGE REASON
install_system_package() {
    if ! command -v apt-get >/dev/null; then
        fail "$2. Install it by the means of your system; Debian calls it $1."
    elif [ "$(id -u)" = 0 ]; then
        as_root=""
    elif sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        fail "$2. Run: sudo apt-get install $1"
    fi
    say "installing $1"
    log=$(mktemp)
    # shellcheck disable=SC2086  # empty, or a command and its option
    if ! { $as_root apt-get update -qq && $as_root apt-get install -y -qq --no-install-recommends "$1"; } \
        >"$log" 2>&1; then
        cat "$log" >&2
        fail "apt-get could not install $1; see above."
    fi
    rm -f "$log"
}

make_environment() {
    if [ -e .venv ] && .venv/bin/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        if .venv/bin/python -m pip --version >/dev/null 2>&1; then return; fi
        if .venv/bin/python -m ensurepip --upgrade >/dev/null 2>&1; then return; fi
    fi
    python=$(find_python)
    # Debian keeps the part of Python that makes environments in a package of its own.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        install_system_package "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv" \
            "$python can't make virtual environments yet"
    fi
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
}

export PIP_DISABLE_PIP_VERSION_CHECK=1

install_bootstrap() {
    if .venv/bin/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt; then return; fi
    fail "pip could not install uv; see above. Check the network, then run this again."
}

install_lock() {
    say "installing $(grep -c '^[a-z0-9].*==' "requirements/$lock.txt") packages of requirements/$lock.txt"
    # Into this environment, whatever another active one says.
    if VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip sync --quiet --require-hashes \
        "requirements/$lock.txt" requirements/bootstrap.txt; then return; fi
    say "uv could not install them; trying pip, which may know another index"
    .venv/bin/python -m pip install --quiet --require-hashes -r "requirements/$lock.txt" ||
        fail "The packages could not be installed; see above. Check the network, then run this again."
}

# llama.cpp's wheel leaves OpenMP's library to the system, and the smallest systems come without it.
need_openmp() {
    if [ "$(uname -s)" != Linux ]; then return; fi
    if .venv/bin/python -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then return; fi
    install_system_package libgomp1 "The language model needs libgomp.so.1"
}

rm -f "$stamp"
make_environment
need_openmp
install_bootstrap
install_lock
# hatchling is pinned in bootstrap.txt: nothing unpinned takes part in the build.
.venv/bin/python -m pip install --quiet --no-deps --no-index --no-build-isolation --editable . ||
    fail "June itself could not be installed; see above."
echo "$lock $(fingerprint "$lock")" >"$stamp.new"
mv "$stamp.new" "$stamp"
say "done"
