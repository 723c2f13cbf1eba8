"""The files around the code are as true as the code: the locks, the scripts, `.env.example`."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from essence import config

ROOT = Path(__file__).parents[2]
LOCKS = ("dev", "runtime", "bootstrap")
SCRIPTS = sorted([*(ROOT / "scripts").iterdir(), ROOT / ".ci/run"])


def pins(lock: str) -> dict[str, list[str]]:
    """Each pinned package with the markers and hashes that follow it."""
    text = (ROOT / f"requirements/{lock}.txt").read_text()
    entries = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.lstrip().startswith("#")]
    found: dict[str, list[str]] = {}
    for entry in entries:
        found.setdefault(entry.split("==")[0], []).append(entry)
    return found


def test_env_example_is_current():
    assert (ROOT / ".env.example").read_text() == config.env_example(), "run scripts/generate-env-example.sh"


def test_env_example_changes_nothing_until_a_line_is_uncommented():
    assert all(line.startswith("#") for line in config.env_example().splitlines() if line)


def test_env_example_names_nothing_of_the_machine_it_was_made_on():
    assert str(Path.home()) not in (ROOT / ".env.example").read_text()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash_and_no_address(lock):
    assert "://" not in (ROOT / f"requirements/{lock}.txt").read_text()
    for entry in (entry for entries in pins(lock).values() for entry in entries):
        assert re.match(r"[a-z0-9._-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry


def test_the_locks_agree_since_they_are_installed_side_by_side():
    dev = pins("dev")
    for lock in ("runtime", "bootstrap"):
        for name, entries in pins(lock).items():
            if name in dev:
                versions = {re.match(r"\S+", entry).group() for entry in entries}
                assert versions <= {re.match(r"\S+", entry).group() for entry in dev[name]}, name


def test_dev_holds_all_of_runtime():
    assert set(pins("runtime")) <= set(pins("dev"))


def test_the_locks_hold_what_pyproject_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = [
        *project["project"]["dependencies"],
        *(line for name in extras if name != "embedded" for line in extras[name]),
    ]
    for lock, lines in (("runtime", wanted), ("dev", [*wanted, *project["dependency-groups"]["dev"]])):
        for requirement in map(Requirement, lines):
            versions = [
                entry.split("==")[1].split()[0] for entry in pins(lock).get(canonicalize_name(requirement.name), [])
            ]
            assert versions, f"{requirement.name} is not in {lock}.txt; run scripts/lock.sh"
            assert all(version in requirement.specifier for version in versions), requirement


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_can_be_run_and_parsed(script):
    assert os.access(script, os.X_OK)
    shell = "bash" if script.name == "run" else "sh"
    subprocess.run([shell, "-n", script], check=True)


def test_the_demo_s_note_is_small_and_there():
    assert 1_000 < (ROOT / "demo/question.ogg").stat().st_size < 30_000


def test_the_demo_refuses_a_note_that_is_not_there(tmp_path):
    done = subprocess.run([ROOT / "scripts/demo.sh", "nothing.ogg"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "there is no file nothing.ogg" in done.stderr


def test_the_demo_explains_itself(tmp_path):
    done = subprocess.run([ROOT / "scripts/demo.sh", "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0
    assert "Usage: scripts/demo.sh [note.ogg] [--tiny]" in done.stdout
    assert not list(tmp_path.iterdir())
