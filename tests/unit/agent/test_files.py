"""Files in one folder, and no way out of it."""

import os

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
