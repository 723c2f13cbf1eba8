"""Where the bytes of a file come from: memory, a path or an open file, made safe to hand to a C library."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from essence.audio.limits import Meter
from essence.errors import InvalidAudio, InvalidInput, NotFound

_SPOOL_BYTES = 2**20
"""What can't seek (a pipe) is kept in memory up to here and in a temporary file beyond."""
_READ_BYTES = 64 * 2**10


class Source:
    """A file object that never raises into its reader, and ends when the meter says so.

    An exception raised inside a C callback may be swallowed there and surface in an unrelated call, so failures wait
    here until `check` is called from Python.
    """

    def __init__(self, file: BinaryIO, meter: Meter) -> None:
        self._file = file
        self._meter = meter
        self._failure: Exception | None = None

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end, after a failure, and where the meter must end."""
        if self._failure or self._meter.must_end:
            return b""
        try:
            return (self._file.read(size) or b"")[:size]
        except (OSError, ValueError) as error:  # ValueError: the file was closed
            self._failure = error
            return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position, or -1 where there is no such place."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -1

    def tell(self) -> int:
        """The position."""
        return self._file.tell()

    def check(self) -> None:
        """Raise what went wrong while reading.

        Raises:
            InvalidAudio: Too much time was spent, or the file could not be read to its end.
        """
        if self._failure:
            raise InvalidAudio(
                f"The audio could not be read: {self._failure}. Try to send it again."
            ) from self._failure
        self._meter.check_work()


@contextmanager
def opened(source: bytes | Path | BinaryIO, meter: Meter) -> Iterator[Source]:
    """A source whose size is known to be within the limits; closes what it opened and nothing else.

    Raises:
        InvalidAudio: Empty, or larger than `max_bytes`.
        InvalidInput, NotFound: The path can't be read.
    """
    with _seekable(source, meter) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size == 0:
            raise InvalidAudio("The audio file is empty. Record the note again and send it.")
        meter.check_bytes(size)
        yield Source(file, meter)


@contextmanager
def _seekable(source: bytes | Path | BinaryIO, meter: Meter) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
    elif isinstance(source, Path):
        with _open_path(source) as file:
            yield file
    elif source.seekable():
        yield source
    else:
        with _spooled(source, meter) as file:
            yield file


def _open_path(path: Path) -> BinaryIO:
    try:
        if path.exists() and not path.is_file():
            raise InvalidInput(f"{path} is not a file. Name a file with sound in it.")
        return path.open("rb")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}. Check its name.") from error
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}. Check its permissions.") from error


def _spooled(pipe: BinaryIO, meter: Meter) -> BinaryIO:
    spool = SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  the caller closes it
    try:
        while block := pipe.read(_READ_BYTES):
            spool.write(block)
            meter.check_bytes(spool.tell())
            meter.check_work()
    except BaseException:
        spool.close()
        raise
    return cast("BinaryIO", spool)
