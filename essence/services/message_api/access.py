"""Who may use the API: keys of the store, the one of the settings, and the one of this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
from pathlib import Path

from essence import observe
from essence.config import MessageApiService
from essence.errors import ConfigError, Conflict, KeyMissing, NotAllowed
from essence.outgoing import CONFIGURED_KEY, LOCAL_KEY, SCOPES, ApiKey, new_secret
from essence.ports import ApiKeys, Store


def is_junes(key: ApiKey) -> bool:
    """Whether June herself may speak with it: a key of the service's own machine or settings, which nobody added."""
    return key.name in (LOCAL_KEY, CONFIGURED_KEY)


class Callers:
    """Knows who shows a key."""

    def __init__(self, keys: ApiKeys, configured: str) -> None:
        """`configured`: MESSAGE_API_KEY; empty for none."""
        self._keys, self._configured = keys, configured

    async def of(self, secret: str | None) -> ApiKey:
        """What this key allows. One that the store knows allows no more for being in the settings too.

        Raises:
            KeyMissing: There is no key, nobody knows it, or it was removed.
        """
        if not secret:
            raise KeyMissing("Show a key: Authorization: Bearer KEY.")
        try:
            kept = await self._keys.find(secret)
        except NotAllowed as error:
            raise KeyMissing(str(error)) from error
        if kept is not None:
            return kept
        if self._configured and secrets.compare_digest(secret.encode(), self._configured.encode()):
            return ApiKey(CONFIGURED_KEY, SCOPES)
        raise KeyMissing("Nobody knows this key. Make one: python -m essence message-api-key add NAME")


async def open_callers(store: Store, settings: MessageApiService) -> Callers:
    """Make sure that there is a key, or that this machine alone can reach the API and finds one.

    Raises:
        ConfigError: Others can reach the API and there is no key; or the key's file can't be written.
    """
    if not settings.message_api_key and not [key for key in await store.api_keys.list() if key.name != LOCAL_KEY]:
        if not _is_loopback(settings.bind_host):
            raise ConfigError(
                f"BIND_HOST={settings.bind_host} opens the API to other machines, so it needs a key. Set "
                "MESSAGE_API_KEY, or make one: python -m essence message-api-key add NAME"
            )
        await _let_in_this_machine(store.api_keys, settings.message_api_key_file)
    return Callers(store.api_keys, settings.message_api_key)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


async def _let_in_this_machine(keys: ApiKeys, path: Path) -> None:
    secret = _read_or_make(path)
    try:
        if await keys.find(secret) is not None:
            return
    except NotAllowed:  # somebody removed the key, and this machine needs one
        secret = _made_anew(path)
    await keys.remove(LOCAL_KEY)  # of a file that is gone
    with contextlib.suppress(Conflict):  # another process that starts at the same time was faster
        await keys.add(secret, LOCAL_KEY, SCOPES, frozenset())
    observe.logger().info("local_key", file=str(path))


def _read_or_make(path: Path) -> str:
    """The key in the file; a new file is complete as soon as it is there, and readable by its owner alone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_text(f"{new_secret()}\n")
            _name_once(draft, path)
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"MESSAGE_API_KEY_FILE={path} can't be written or read ({error.strerror}).") from error


def _made_anew(path: Path) -> str:
    path.unlink(missing_ok=True)
    return _read_or_make(path)


def _name_once(draft: Path, path: Path) -> None:
    """Unlike a rename, a link never replaces the key that another process has just made."""
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
