"""Who may use the Message API, whom they may write to, and where a person is found."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import get_args

import httpx
import pytest

from essence.chat.intake import KEEP_OUT, LET_IN, NO, YES
from essence.config import MessageApiClient
from essence.dialogue import Address, Person
from essence.errors import ConfigError, NotFound
from essence.message_client import open_message_api
from essence.outgoing import SCOPES, Identity
from essence.store import open_store
from essence.work import Choice, button_data
from tests.message_world import KEY, client, http, message_api
from tests.store_cases import SETTINGS, note

TELEGRAM, DISCORD = "42", "770000000000000001"
DM = "880000000000000002"
ANN, ANN_THERE = Identity("telegram", TELEGRAM), Identity("discord", DISCORD)


@pytest.fixture
def store_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/june.db"


@pytest.fixture
async def store(store_url):
    async with open_store(store_url, SETTINGS) as opened:
        yield opened


@pytest.fixture
async def url(store_url, tmp_path) -> AsyncIterator[str]:
    async with message_api(store_url, tmp_path) as url:
        yield url


def wrote(number: int, platform: str, person_id: str, chat_id: str):
    return note(number, Address(platform, chat_id), sender=Person(person_id, "Ann"))


async def place(url: str, **asked: object) -> tuple[str, str] | int:
    """Where a message goes, or the status of its refusal."""
    async with http(url) as rest:
        answer = await rest.post("/messages", json={"message": "Hi.", **asked})
    return (answer.json()["platform"], answer.json()["chat_id"]) if answer.is_success else answer.status_code


async def test_auto_picks_the_platform_on_which_a_linked_person_wrote_last(url, store):
    await store.identities.link(ANN, ANN_THERE)
    await store.inbox.receive(wrote(1, "telegram", TELEGRAM, TELEGRAM))
    assert await place(url, user_id=DISCORD) == ("telegram", TELEGRAM)
    await store.inbox.receive(wrote(2, "discord", DISCORD, DM))
    assert await place(url, user_id=TELEGRAM) == ("discord", DM)
    assert await place(url, user_id=TELEGRAM, chat_id=TELEGRAM) == ("discord", DM)
    assert await place(url, user_id=TELEGRAM, platform="telegram") == ("telegram", TELEGRAM)


async def test_auto_keeps_to_private_chats(url, store):
    await store.inbox.receive(wrote(1, "telegram", TELEGRAM, TELEGRAM))
    await store.inbox.receive(replace(wrote(2, "telegram", TELEGRAM, "-100"), private=False))
    assert await place(url, user_id=TELEGRAM) == ("telegram", TELEGRAM)


async def test_one_who_has_not_written_is_reached_by_the_chat_that_is_given(url):
    assert await place(url, user_id=TELEGRAM) == ("telegram", TELEGRAM)
    assert await place(url, user_id=DISCORD, chat_id=DM) == ("discord", DM)
    assert await place(url, chat_id="-100123") == ("telegram", "-100123")
    assert await place(url, user_id=DISCORD) == 422
    assert await place(url, user_id=DISCORD, platform="discord") == 422


async def test_a_platform_without_a_service_is_neither_picked_nor_promised(store, store_url, tmp_path):
    await store.identities.link(ANN, ANN_THERE)
    await store.inbox.receive(wrote(1, "telegram", TELEGRAM, TELEGRAM))
    await store.inbox.receive(wrote(2, "discord", DISCORD, DM))
    async with message_api(store_url, tmp_path, discord_url="none") as url:
        assert await place(url, user_id=DISCORD) == ("telegram", TELEGRAM)
        assert await place(url, chat_id=DM, platform="discord") == 422


@pytest.fixture
def keys(store, url):
    """Makes a key and opens a client with it."""

    @asynccontextmanager
    async def opened(*scopes: str, recipients: tuple[Identity, ...] = (), name: str = "bot"):
        secret = f"secret of {name}"
        await store.api_keys.add(secret, name, frozenset(scopes), frozenset(recipients))
        async with http(url, secret) as rest:
            yield rest

    return opened


async def statuses(rest: httpx.AsyncClient, message_id: str) -> dict[str, int]:
    path = f"/messages/{message_id}"
    asked = {
        "post": rest.post("/messages", json={"user_id": TELEGRAM, "message": "Hi."}),
        "list": rest.get("/messages"),
        "get": rest.get(path),
        "receipt": rest.get(f"{path}/receipt"),
        "put": rest.put(path, json={"message": "Ho."}),
        "patch": rest.patch(path, json={"append": "!"}),
    }
    return {name: (await asking).status_code for name, asking in asked.items()}


@pytest.fixture
async def message_id(url) -> str:
    async with client(url) as api:
        return (await api.post("Hi.", user_id=TELEGRAM, key="hi")).message_id


async def test_each_scope_opens_its_own_requests_alone(keys, message_id):
    opens = {"send": {"post"}, "read": {"list", "get", "receipt"}, "edit": {"put", "patch"}}
    for scope, requests in opens.items():
        async with keys(scope, name=scope) as rest:
            found = await statuses(rest, message_id)
        assert {name for name, status in found.items() if status < 300} == requests
        assert {status for status in found.values() if status >= 300} == {403}


@pytest.mark.parametrize("key", [None, "", "wrong", f"{KEY} "])
async def test_without_a_key_that_somebody_knows_nothing_is_done(url, message_id, key):
    headers = {} if key is None else {"Authorization": f"Bearer {key}x"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as rest:
        assert set((await statuses(rest, message_id)).values()) == {401}
        answer = await rest.get("/messages")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert (answer.json()["status"], answer.json()["code"]) == (401, "key_missing")


async def test_a_removed_key_is_refused_even_if_it_is_the_configured_one(url, store):
    await store.api_keys.add(KEY, "bot", frozenset({"read"}), frozenset())
    async with http(url) as rest:
        assert (await rest.get("/messages")).status_code == 200
        assert (await rest.post("/messages", json={"user_id": "1", "message": "Hi."})).status_code == 403
        await store.api_keys.remove("bot")
        assert (await rest.get("/messages")).status_code == 401


async def test_a_bound_key_writes_to_its_recipients_alone_wherever_they_are(keys, store):
    await store.identities.link(ANN, ANN_THERE)
    await store.inbox.receive(wrote(1, "discord", DISCORD, DM))
    async with keys(*SCOPES, recipients=(ANN, Identity("telegram", "-100"))) as rest:

        async def status(**asked: str) -> int:
            return (await rest.post("/messages", json={"message": "Hi.", **asked})).status_code

        assert await status(user_id=TELEGRAM) == 202
        assert await status(chat_id=TELEGRAM, platform="telegram") == 202
        assert await status(chat_id=DM, platform="discord") == 202
        assert await status(chat_id="-100", platform="telegram") == 202
        assert await status(user_id="43") == 403
        assert await status(user_id=TELEGRAM, chat_id="43", platform="telegram") == 403
        assert await status(user_id=TELEGRAM, chat_id="990000000000000000", platform="discord") == 403


async def test_a_bound_key_sees_what_it_posted_itself(keys, message_id):
    async with keys(*SCOPES, recipients=(ANN,)) as rest:
        mine = (await rest.post("/messages", json={"user_id": TELEGRAM, "message": "Mine."})).json()
        found = await statuses(rest, message_id)
        assert [found[name] for name in ("get", "receipt", "put", "patch")] == [404] * 4
        listed = (await rest.get("/messages")).json()["messages"]
        assert {one["author"] for one in listed} == {"bot"}
        assert (await rest.get(f"/messages/{mine['message_id']}")).status_code == 200


async def test_a_new_key_of_a_removed_one_s_name_sees_nothing_that_it_could_not_have_posted(keys, store):
    same = {"Idempotency-Key": "k"}
    asked = {"user_id": TELEGRAM, "message": "For Ann."}
    async with keys(*SCOPES, recipients=(ANN,)) as old:
        anns = (await old.post("/messages", json=asked, headers=same)).json()["message_id"]
    await store.api_keys.remove("bot")
    await store.api_keys.add("a new one", "bot", SCOPES, frozenset({Identity("telegram", "77")}))
    async with http(str(old.base_url), "a new one") as new:
        assert (await new.get("/messages")).json()["messages"] == []
        assert (await new.get("/messages", params={"chat_id": TELEGRAM})).json()["messages"] == []
        found = await statuses(new, anns)
        assert [found[name] for name in ("get", "receipt", "put", "patch")] == [404] * 4
        assert (await new.post("/messages", json=asked, headers=same)).status_code == 403


async def test_a_bound_key_lists_what_it_posted_to_all_of_its_recipients_page_by_page(keys, store):
    await store.identities.link(ANN, ANN_THERE)
    await store.inbox.receive(wrote(1, "discord", DISCORD, DM))
    async with keys(*SCOPES, recipients=(ANN, Identity("telegram", "-100"))) as rest:
        places = [("telegram", TELEGRAM), ("telegram", "-100"), ("discord", DM)] * 2
        for number, (platform, chat_id) in enumerate(places):
            asked = {"platform": platform, "chat_id": chat_id, "message": f"{number}"}
            assert (await rest.post("/messages", json=asked)).status_code == 202
        pages, cursor = [], {}
        while cursor is not None:
            page = (await rest.get("/messages", params={"limit": 4, **cursor})).json()
            pages.append([one["message"] for one in page["messages"]])
            cursor = page["next_cursor"] and {"cursor": page["next_cursor"]}
        assert pages == [["5", "4", "3", "2"], ["1", "0"]]
        there = (await rest.get("/messages", params={"platform": "discord"})).json()["messages"]
        assert [one["message"] for one in there] == ["5", "2"]


@pytest.mark.parametrize("june_is_first", [True, False])
async def test_what_june_edits_by_key_is_her_own_message_whoever_posted_under_the_same_one(
    keys, url, store, june_is_first
):
    key = "telegram:7:10:progress"
    post = {"headers": {"Idempotency-Key": key}}
    async with keys("send", "read", recipients=(Identity("telegram", "-100"),)) as bot, client(url) as june:
        if june_is_first:
            hers = (await june.post("⏳ …", chat_id=TELEGRAM, key=key)).message_id
        its = (await bot.post("/messages", json={"message": "hello", "chat_id": "-100"}, **post)).json()["message_id"]
        if not june_is_first:
            with pytest.raises(NotFound):
                await june.edit(key, "⏳ Reading the letter of Ann's bank")
            hers = (await june.post("⏳ …", chat_id=TELEGRAM, key=key)).message_id
        with suppress(TimeoutError):  # there is no platform that could take it
            async with asyncio.timeout(0.5):
                await june.edit(key, "⏳ Reading the letter of Ann's bank")
        assert (await bot.get(f"/messages/{its}")).json()["message"] == "hello"
        assert (await store.messages.read(hers)).draft.text == "⏳ Reading the letter of Ann's bank"
        listed = (await bot.get("/messages", params={"idempotency_key": key})).json()["messages"]
        assert [one["message_id"] for one in listed] == [its]


OF_JUNE = [
    *(button_data(choice, "0" * 24) for choice in get_args(Choice)),
    *(f"{kind}ABCD" for kind in (LET_IN, KEEP_OUT)),
    *(YES, NO),
]
"""Data of all buttons that June asks with."""


@pytest.mark.parametrize("data", OF_JUNE)
async def test_no_service_s_button_answers_a_question_of_june_s_own(keys, url, data):
    asked = {
        "user_id": TELEGRAM, "message": "Your tea is ready.",
        "buttons": [{"label": "Fine", "data": "fine"}, {"label": "Thanks!", "data": data}],
    }  # fmt: skip
    for recipients in ((ANN,), ()):
        async with keys(*SCOPES, recipients=recipients, name=f"bound to {len(recipients)}") as rest:
            refused = await rest.post("/messages", json=asked)
            assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
            assert "colon" in refused.json()["detail"]
            allowed = asked | {"buttons": asked["buttons"][:1]}
            assert (await rest.post("/messages", json=allowed)).status_code == 202
    async with http(url) as june:
        assert (await june.post("/messages", json=asked)).status_code == 202


async def test_june_s_agent_asks_with_the_key_of_this_machine(store_url, tmp_path):
    asked = {"user_id": TELEGRAM, "message": "May I?", "buttons": [{"label": "Do it", "data": button_data("do", "1")}]}
    async with message_api(store_url, tmp_path, message_api_key="") as url:
        async with http(url, (tmp_path / "message-api.key").read_text().strip()) as agent:
            assert (await agent.post("/messages", json=asked)).status_code == 202


async def test_a_machine_with_no_key_gets_one_that_its_user_alone_can_read(store_url, tmp_path):
    path = tmp_path / "message-api.key"
    client_settings = MessageApiClient(_env_file=None, message_api_key_file=path)
    with pytest.raises(ConfigError, match="message-api"):
        async with open_message_api(client_settings):
            pass
    for _ in range(2):  # it is found again
        async with message_api(store_url, tmp_path, message_api_key="") as url:
            found = client_settings.model_copy(update={"message_api_url": url})
            async with open_message_api(found) as api:
                assert (await api.post("Hi.", user_id=TELEGRAM, key="hi")).revision == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir() if "key" in one.name] == ["message-api.key"]


@pytest.mark.parametrize("how", ["its file is lost", "it is removed"])
async def test_a_local_key_that_is_gone_is_made_anew_and_the_old_one_refused(store, store_url, tmp_path, how):
    path = tmp_path / "message-api.key"
    async with message_api(store_url, tmp_path, message_api_key=""):
        old = path.read_text().strip()
    if how == "it is removed":
        await store.api_keys.remove("local")
    else:
        path.unlink()
    async with message_api(store_url, tmp_path, message_api_key="") as url:
        for secret, status in ((old, 401), (path.read_text().strip(), 200)):
            async with http(url, secret) as rest:
                assert (await rest.get("/messages")).status_code == status


async def test_an_api_that_others_can_reach_needs_a_key(store_url, tmp_path, store):
    with pytest.raises(ConfigError, match="message-api-key add"):
        async with message_api(store_url, tmp_path, message_api_key="", bind_host="0.0.0.0"):
            pass
    assert not (tmp_path / "message-api.key").exists()
    await store.api_keys.add("secret", "bot", SCOPES, frozenset())
    async with message_api(store_url, tmp_path, message_api_key="", bind_host="0.0.0.0") as url:
        async with http(url, "secret") as rest:
            assert (await rest.get("/messages")).status_code == 200
