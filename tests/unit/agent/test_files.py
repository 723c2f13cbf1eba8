"""Files in one folder, and no way out of it."""

import os
import resource
import signal
import stat
import subprocess
import sys

import pytest

from essence.agent.tools.files import READ_MAX_BYTES, Workspace
from essence.errors import InvalidInput, NotFound


@pytest.fixture
def outside(tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "secret.txt").write_text("secret")
    return tmp_path


@pytest.fixture
def workspace(outside):
    folder = outside / "workspace"
    (folder / "inner").mkdir(parents=True)
    (folder / "link.txt").symlink_to("../secret.txt")
    (folder / "linked").symlink_to("../away")
    (folder / "inner" / "up").symlink_to("..")
    return Workspace(folder)


def test_what_is_written_is_read_and_listed(workspace):
    assert workspace.write("notes/shopping.txt", "Tea", append=False) == 3
    workspace.write("notes/shopping.txt", ", milk", append=True)
    assert workspace.read("notes/shopping.txt") == "Tea, milk"
    workspace.write("notes/shopping.txt", "Ä", append=False)
    assert workspace.read("./notes//shopping.txt") == "Ä"
    assert "notes/shopping.txt" in workspace.names("")
    assert workspace.names("notes") == ["notes/shopping.txt"]


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "inner/../../secret.txt",
        "/etc/passwd",
        "~/secret",
        "link.txt",
        "linked/secret.txt",
        "inner/up/link.txt",
        "inner/up/x.txt",
        "a\0b",
        "..",
        ".",
        "",
        "inner",
        "..\\secret.txt",
    ],
)
def test_no_name_leads_out(workspace, outside, path):
    for use in (workspace.read, lambda where: workspace.write(where, "x", append=False)):
        with pytest.raises((InvalidInput, NotFound)):
            use(path)
    assert (outside / "secret.txt").read_text() == (outside / "away" / "secret.txt").read_text() == "secret"
    assert not (outside / "workspace" / "x.txt").exists()


def test_a_listing_follows_no_link(workspace):
    assert "linked/secret.txt" not in workspace.names("")
    for folder in ("linked", "..", "inner/up"):
        with pytest.raises((InvalidInput, NotFound)):
            workspace.names(folder)


def test_a_pipe_and_a_device_are_no_files_and_keep_nobody_waiting(workspace, outside):
    os.mkfifo(outside / "workspace" / "pipe")
    for use in (workspace.read, lambda where: workspace.write(where, "x", append=False)):
        with pytest.raises(InvalidInput):
            use("pipe")


def test_a_file_outlives_a_full_disk(workspace, outside):
    workspace.write("notes/list.txt", "all that I know", append=False)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(InvalidInput, match="too large"):
            workspace.write("notes/list.txt", "x" * 10_000, append=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert workspace.read("notes/list.txt") == "all that I know"
    assert [path.name for path in (outside / "workspace" / "notes").iterdir()] == ["list.txt"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from essence.agent.tools.files import Workspace
written = os.write
os.write = lambda handle, data: (written(handle, data[:1]), os.kill(os.getpid(), signal.SIGKILL))
Workspace(Path(sys.argv[1])).write("notes/list.txt", "Tea", append=False)
"""


def test_a_file_outlives_a_writer_that_is_killed_and_nothing_else_is_listed(workspace, outside):
    workspace.write("notes/list.txt", "all that I know", append=False)
    writer = subprocess.run([sys.executable, "-c", _KILLED, outside / "workspace"], check=False)
    assert writer.returncode == -signal.SIGKILL
    assert workspace.read("notes/list.txt") == "all that I know"
    assert workspace.names("notes") == ["notes/list.txt"]


def test_a_file_that_is_replaced_keeps_its_permissions_and_its_owner(workspace, outside):
    path = outside / "workspace" / "list.txt"
    path.touch()
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    before = path.stat()
    workspace.write("list.txt", "Tea", append=False)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    workspace.write("new.txt", "Tea", append=False)
    assert stat.S_IMODE((outside / "workspace" / "new.txt").stat().st_mode) == 0o600


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write whatever it likes")
def test_a_file_that_may_only_be_read_is_not_replaced(workspace, outside):
    path = outside / "workspace" / "list.txt"
    path.write_text("all that I know")
    path.chmod(0o444)
    with pytest.raises(InvalidInput, match="Permission"):
        workspace.write("list.txt", "Tea", append=False)
    assert path.read_text() == "all that I know"


def test_what_is_too_large_or_no_text_is_told(workspace, outside):
    (outside / "workspace" / "large").write_bytes(b"x" * (READ_MAX_BYTES + 1))
    (outside / "workspace" / "picture").write_bytes(b"\xff\xfe\x00")
    for path in ("large", "picture"):
        with pytest.raises(InvalidInput):
            workspace.read(path)
    with pytest.raises(NotFound, match=r"nowhere\.txt"):
        workspace.read("nowhere.txt")


def test_a_name_that_is_no_text_is_listed_escaped_and_on_one_line(workspace, outside):
    (outside / "workspace" / "notes").mkdir()
    for name in (b"\xff.txt", b"two\nlines", "Grüße.txt".encode()):
        (outside / "workspace" / "notes" / os.fsdecode(name)).touch()
    assert workspace.names("notes") == ["notes/Grüße.txt", "notes/two\\nlines", "notes/\\udcff.txt"]


def test_half_a_character_is_neither_named_nor_written(workspace):
    for use in (workspace.read, workspace.names, lambda where: workspace.write(where, "x", append=False)):
        with pytest.raises(InvalidInput):
            use("a\ud800")
    with pytest.raises(InvalidInput):
        workspace.write("a.txt", "\ud800", append=False)
