"""Files in one folder: the owner's workspace for June.

A path is walked one folder at a time, each opened within the one before and never through a link, so that no name
leads out: not `..`, not an absolute path, not a link that is put there in the very moment
(https://man7.org/linux/man-pages/man2/openat.2.html, O_NOFOLLOW).
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import Field

from essence.agent.tools.tool import AnyTool, Arguments, Call, Tool, typed
from essence.errors import InvalidInput, NotFound

READ_MAX_BYTES = 200_000
WRITE_MAX_BYTES = 1_000_000
_LISTED_MAX = 200
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe would keep whoever opens it waiting.
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DRAFT = re.compile(r"\.june-[0-9a-f]{16}\.draft")
"""Names of files that are being written; one whose writer was killed stays, and is shown to nobody."""
_UNSHOWN = ("Cc", "Cs", "Zl", "Zp")
"""Categories of characters that end a line, or stand for a byte that is no text, which no model can be sent."""


class Named(Arguments):
    """A file."""

    path: str = Field(
        min_length=1, max_length=500, description="Path within the workspace, such as notes/shopping.txt."
    )


class Listed(Arguments):
    """A folder."""

    folder: str = Field(default="", max_length=500, description="Folder within the workspace; empty for all of it.")


class Write(Named):
    """What a file is to hold."""

    text: str = Field(max_length=WRITE_MAX_BYTES, description="The whole text.")
    append: bool = Field(default=False, description="True: add it at the end of what is there.")


class Workspace:
    """One folder, and no way out of it. All methods block."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, path: str) -> str:
        """A file's text.

        Raises:
            NotFound: There is no such file.
            InvalidInput: The path leads out, it is no file, or it is no text.
        """
        with (
            self._parent(path, make=False) as (parent, name),
            _named(path),
            _regular(os.open(name, os.O_RDONLY | _FILE, dir_fd=parent), path) as handle,
        ):
            data = os.read(handle, READ_MAX_BYTES + 1)
        if len(data) > READ_MAX_BYTES:
            raise InvalidInput(f"{path} is larger than {READ_MAX_BYTES} bytes.")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{path} is no text.") from error

    def write(self, path: str, text: str, *, append: bool) -> int:
        """Write a file, its folders made where they are missing; returns how many bytes were written.

        What is there is replaced as a whole, or left as it is: the disk may be full, and June may be killed.

        Raises:
            InvalidInput: The path leads out, it is no file, or the text can't be written as UTF-8.
        """
        data = _encoded(text)
        with self._parent(path, make=True) as (parent, name), _named(path):
            if append:
                handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _FILE, 0o600, dir_fd=parent)
                with _regular(handle, path):
                    _write_all(handle, data)
            else:
                _replace(name, data, parent, _replaced(name, parent, path))
        return len(data)

    def names(self, folder: str) -> list[str]:
        """Paths of the files below a folder, in order; at most `_LISTED_MAX`, each on one line.

        Raises:
            NotFound: There is no such folder.
            InvalidInput: The path leads out.
        """
        names: list[str] = []
        with self._parent(f"{folder}/." if folder else ".", make=False) as (start, _):
            for where, folders, files, _at in os.fwalk(".", dir_fd=start, follow_symlinks=False):
                folders.sort()
                below = "" if where == "." else f"{where.removeprefix('./')}/"
                shown = sorted(name for name in files if not _DRAFT.fullmatch(name))
                names += [f"{folder}/{below}{name}".lstrip("/") for name in shown]
                if len(names) > _LISTED_MAX:
                    break
        return [_shown(name) for name in names[:_LISTED_MAX]]

    @contextmanager
    def _parent(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """The folder that a path's last name is in, open, and that name."""
        *folders, name = _parts(path)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        here = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                with _named(path):
                    inner = _step(folder, here, make=make)
                os.close(here)
                here = inner
            yield here, name
        finally:
            os.close(here)


def _shown(name: str) -> str:
    return "".join(ascii(char)[1:-1] if unicodedata.category(char) in _UNSHOWN else char for char in name)


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    if path.startswith(("/", "~")) or "\\" in _shown(path) or ".." in parts or not parts:
        raise InvalidInput(f"{path!r} does not lead into the workspace. Use a path such as notes/shopping.txt.")
    return [part for part in parts[:-1] if part != "."] + parts[-1:]


def _step(folder: str, here: int, *, make: bool) -> int:
    if make:
        with suppress(FileExistsError):  # whatever it is, it is looked at when it is opened
            os.mkdir(folder, 0o700, dir_fd=here)
    return os.open(folder, _FOLDER, dir_fd=here)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Errors of the system as June's."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(f"There is no {path} in the workspace.") from error
    except OSError as error:  # ELOOP and ENOTDIR where a link stands
        raise InvalidInput(f"{path} can't be used: {error.strerror}.") from error


@contextmanager
def _regular(handle: int, path: str) -> Iterator[int]:
    """An open file that is one, closed afterwards."""
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise InvalidInput(f"{path} is no file.")
        yield handle
    finally:
        os.close(handle)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:  # half of a pair of surrogates
        raise InvalidInput("There are characters in the text that are none. Write it without them.") from error


def _replaced(name: str, parent: int, path: str) -> os.stat_result | None:
    """Whose, and for whom, the file is that a new one takes the place of; None: there is none.

    It is opened as if to write into it, so that what can't be written isn't replaced either.
    """
    try:
        with _regular(os.open(name, os.O_WRONLY | _FILE, dir_fd=parent), path) as handle:
            return os.fstat(handle)
    except FileNotFoundError:
        return None


def _replace(name: str, data: bytes, parent: int, old: os.stat_result | None) -> None:
    draft = f".june-{secrets.token_hex(8)}.draft"
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=parent)
    try:
        try:
            _write_all(handle, data)
            if old is not None:
                _hand_on(handle, old)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(draft, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=parent)
        raise


def _hand_on(handle: int, old: os.stat_result) -> None:
    """Give a file the owner and the permissions of the one before, as far as June may and the disk knows them."""
    with suppress(OSError):
        os.fchown(handle, old.st_uid, old.st_gid)
    with suppress(OSError):
        os.fchmod(handle, old.st_mode & 0o777)


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def file_tools(folder: Path) -> tuple[AnyTool, ...]:
    """`list_files`, `read_file`, `write_file`, all within `folder`."""
    workspace = Workspace(folder)

    async def names(_: Call, wanted: Listed) -> str:
        return "\n".join(await asyncio.to_thread(workspace.names, wanted.folder)) or "There are no files."

    async def read(_: Call, wanted: Named) -> str:
        return await asyncio.to_thread(workspace.read, wanted.path) or "(The file is empty.)"

    async def write(_: Call, wanted: Write) -> str:
        count = await asyncio.to_thread(workspace.write, wanted.path, wanted.text, append=wanted.append)
        return f"{'Added' if wanted.append else 'Wrote'} {count} bytes to {wanted.path}."

    return (
        Tool("list_files", "List the files of the owner's workspace.", *typed(Listed), names, foreign=True),
        Tool("read_file", "Read a text file of the owner's workspace.", *typed(Named), read, foreign=True),
        Tool("write_file", "Write a text file into the owner's workspace.", *typed(Write), write,
             effect="change", proves=frozenset({"file", "memory"}), repeatable=False, final=True),
    )  # fmt: skip
