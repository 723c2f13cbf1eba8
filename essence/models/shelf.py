"""The folder of model files: what lies there, whole and unharmed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

from essence.errors import EngineMissing
from essence.models.catalogue import CATALOGUE, Edition, Model, ModelFile

_STAMP = ".verified.json"
_READ_BYTES = 2**20


class Shelf:
    """Model files below one folder, one folder per model.

    A file's hash is computed once; what was found is kept beside it with its size and time of change, so that the
    next look costs one `stat` per file.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workshop = root / ".fetching"
        """Where unfinished downloads lie; nothing in it is ever used as a model."""

    def folder(self, model: Model) -> Path:
        """Where the model's files belong, whether they are there or not."""
        return self.root / model.name

    def edition(self, model: Model, *, rehash: bool = False) -> Edition | None:
        """The first edition of which all files are here and right."""
        return next((e for e in model.editions if not self.faults(model, e, rehash=rehash)), None)

    def faults(self, model: Model, edition: Edition, *, rehash: bool = False) -> list[str]:
        """What is wrong with an edition's files, one phrase per file.

        Args:
            model: Whose edition it is.
            edition: Which files to look at.
            rehash: Compute every hash again, whatever an earlier look found.
        """
        stamp = self._read_stamp(model)
        found = {file.path: self._fault(model, file, {} if rehash else stamp) for file in edition.files}
        self._write_stamp(model, edition, found, stamp)
        return [f"{path} {fault}" for path, fault in found.items() if fault]

    def holds(self, model: Model, file: ModelFile) -> bool:
        """Whether this one file is here and right."""
        return not self._fault(model, file, self._read_stamp(model))

    def put(self, model: Model, file: ModelFile, finished: Path) -> None:
        """Move a file, whose hash was checked, to its place in one step that can't be half done."""
        target = self.folder(model) / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        with finished.open("rb") as written:
            os.fsync(written.fileno())
        finished.replace(target)
        self._write_stamp(model, Edition((file,)), {file.path: ""}, self._read_stamp(model))

    def keep_only(self, model: Model, edition: Edition) -> None:
        """Remove files of the model's other editions, which a library could mistake for this one's."""
        kept = {file.path for file in edition.files}
        for other in model.editions:
            for file in other.files:
                if file.path not in kept:
                    (self.folder(model) / file.path).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Room on the disk that the folder is, or would be, on."""
        existing = next(path for path in (self.root, *self.root.absolute().parents) if path.exists())
        return shutil.disk_usage(existing).free

    def _fault(self, model: Model, file: ModelFile, known: dict[str, list[object]]) -> str:
        path = self.folder(model) / file.path
        try:
            stat = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return "is missing"
        if stat.st_size != file.size_bytes:
            return f"has {stat.st_size:,} bytes instead of {file.size_bytes:,}"
        if known.get(file.path) == [stat.st_size, stat.st_mtime_ns, file.sha256]:
            return ""
        return "" if sha256(path) == file.sha256 else "has the wrong SHA-256"

    def _read_stamp(self, model: Model) -> dict[str, list[object]]:
        try:
            stamp = json.loads((self.folder(model) / _STAMP).read_text())
        except (OSError, ValueError):  # none yet, or cut off: the files are hashed again
            return {}
        return stamp if isinstance(stamp, dict) else {}

    def _write_stamp(
        self, model: Model, edition: Edition, found: dict[str, str], known: dict[str, list[object]]
    ) -> None:
        stamp = dict(known)
        for file in edition.files:
            if not found[file.path]:
                stat = (self.folder(model) / file.path).stat()
                stamp[file.path] = [stat.st_size, stat.st_mtime_ns, file.sha256]
            elif stamp.get(file.path, [])[-1:] == [file.sha256]:  # another edition's note of this name is right there
                del stamp[file.path]
        if stamp == known:
            return
        with suppress(OSError):  # a folder that can't be written to is only slower to check
            draft = self.folder(model) / f"{_STAMP}.{os.getpid()}"
            draft.write_text(json.dumps(stamp))
            draft.replace(self.folder(model) / _STAMP)


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()


def require(name: str, root: Path) -> Path:
    """The folder of a catalogue model whose files are all here and right.

    Raises:
        EngineMissing: The catalogue has no such model, or a file is missing or damaged.
    """
    model = CATALOGUE.get(name)
    if model is None:
        raise EngineMissing(f"There is no model named {name}. See: python -m essence download-models --list")
    shelf = Shelf(root)
    if shelf.edition(model) is None:
        raise EngineMissing(f"The model {name} is not here yet. Fetch it: python -m essence download-models {name}")
    return shelf.folder(model)
