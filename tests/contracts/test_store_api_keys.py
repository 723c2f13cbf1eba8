"""The contract of the Message API's keys, over memory, a file and a server."""

import pytest

from essence.errors import Conflict, NotAllowed
from essence.outgoing import SCOPES, ApiKey, Identity, new_secret
from essence.store import open_store
from tests.store_cases import SETTINGS, START

ANN = Identity("telegram", "42")


async def test_a_key_allows_what_it_was_made_for(store):
    added = await store.api_keys.add("secret", "bot", frozenset({"send"}), frozenset({ANN}))
    assert added == ApiKey("bot", frozenset({"send"}), frozenset({ANN}), START)
    assert await store.api_keys.find("secret") == added
    assert await store.api_keys.find("another") is None
    assert await store.api_keys.list() == (added,)


async def test_no_two_keys_have_one_name(store):
    await store.api_keys.add("a", "bot", SCOPES, frozenset())
    for secret, name in (("b", "bot"), ("a", "other")):
        with pytest.raises(Conflict, match="already"):
            await store.api_keys.add(secret, name, SCOPES, frozenset())


async def test_a_removed_key_stays_removed_and_its_name_is_free(store):
    await store.api_keys.add("a", "bot", SCOPES, frozenset())
    assert await store.api_keys.remove("bot")
    assert not await store.api_keys.remove("bot")
    with pytest.raises(NotAllowed, match="removed"):
        await store.api_keys.find("a")
    assert await store.api_keys.list() == ()
    await store.api_keys.add("b", "bot", SCOPES, frozenset())
    with pytest.raises(Conflict):
        await store.api_keys.add("a", "again", SCOPES, frozenset())


async def test_a_store_holds_no_key_that_somebody_could_use(tmp_path):
    secret = new_secret()
    async with open_store(f"sqlite:///{tmp_path}/june.db", SETTINGS) as store:
        await store.api_keys.add(secret, "bot", SCOPES, frozenset())
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"bot" in kept
    assert secret.encode() not in kept


def test_no_two_secrets_are_alike():
    assert len({new_secret() for _ in range(100)}) == 100
