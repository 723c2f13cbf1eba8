"""The Message API over real HTTP, down to the fake Telegram: what is accepted, delivered, changed and told."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from essence.fakes.telegram import TelegramServer, User
from essence.message_client import MessageApi
from tests.message_world import client, http, message_api, telegram_service
from tests.ports import free_port


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


@pytest.fixture
def store_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/june.db"


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
async def url(telegram, ann, store_url, port, tmp_path) -> AsyncIterator[str]:
    async with (
        telegram_service(telegram, ann, store_url, port),
        message_api(store_url, tmp_path, telegram_port=port) as url,
    ):
        yield url


@pytest.fixture
async def api(url) -> AsyncIterator[MessageApi]:
    async with client(url) as opened:
        yield opened


@pytest.fixture
async def rest(url) -> AsyncIterator[httpx.AsyncClient]:
    async with http(url) as opened:
        yield opened


def id_of(user: User) -> str:
    return str(user.person.user_id)


async def delivered(rest: httpx.AsyncClient, message_id: str) -> dict:
    receipt = await rest.get(f"/messages/{message_id}/receipt", params={"wait_s": 30})
    assert receipt.status_code == 200
    return receipt.json()


async def test_a_message_reaches_its_person_and_the_receipt_names_it(rest, ann):
    posted = await rest.post("/messages", json={"user_id": id_of(ann), "message": "Your **tea** is ready."})
    assert posted.status_code == 202
    assert posted.headers["Location"] == f"/messages/{posted.json()['message_id']}"
    receipt = await delivered(rest, posted.json()["message_id"])
    [sent] = ann.chat.answers
    assert (receipt["state"], sent.text) == ("sent", "Your tea is ready.")
    assert [one["platform_message_id"] for one in receipt["receipts"]] == [str(sent.message_id)]


async def test_a_message_can_bring_a_reply_a_voice_and_buttons(rest, ann):
    question = await ann.says("Shall I?")
    asked = {
        "user_id": id_of(ann),
        "chat_id": id_of(ann),
        "platform": "telegram",
        "message": "Shall I **do** it?",
        "message_type": "clarification",
        "voice": True,
        "language": "en",
        "reply_to": str(question.message_id),
        "buttons": [{"label": label, "data": label.lower()} for label in ("Do it", "Fix", "Cancel")],
    }
    posted = (await rest.post("/messages", json=asked)).json()
    assert asked.items() <= posted.items()
    receipt = await delivered(rest, posted["message_id"])
    text, spoken = [one for one in ann.chat.answers if one.buttons or one.voice]
    assert [button["text"] for button in text.buttons] == ["Do it", "Fix", "Cancel"]
    assert text.reply_to.text == "Shall I?"
    assert [one["platform_message_id"] for one in receipt["receipts"]] == [str(text.message_id), str(spoken.message_id)]


async def test_a_voice_that_fails_costs_no_text_and_is_told(rest, ann):
    posted = await rest.post(
        "/messages", json={"user_id": id_of(ann), "message": "Tee.", "voice": True, "language": "de"}
    )
    receipt = await delivered(rest, posted.json()["message_id"])
    assert (receipt["state"], receipt["error"]["code"]) == ("sent", "not_found")
    assert [one.text for one in ann.chat.answers] == ["Tee."]


async def test_a_repeat_with_the_same_key_sends_nothing_more(rest, ann):
    asked = {"user_id": id_of(ann), "message": "Once."}
    answers = [
        await rest.post("/messages", json=asked, headers={"Idempotency-Key": key})
        for key in ("tea-1", '"tea-1"', "tea-1")
    ]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["message_id"] for answer in answers}) == 1
    await delivered(rest, answers[0].json()["message_id"])
    await delivered(rest, (await rest.post("/messages", json=asked)).json()["message_id"])
    assert [one.text for one in ann.chat.answers] == ["Once.", "Once."]  # the last one had no key


async def test_a_key_that_was_used_for_another_message_is_refused(rest, ann):
    headers = {"Idempotency-Key": "tea"}
    await rest.post("/messages", json={"user_id": id_of(ann), "message": "A"}, headers=headers)
    refused = await rest.post("/messages", json={"user_id": id_of(ann), "message": "B"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")


async def test_messages_reach_a_person_in_the_order_in_which_they_were_posted(api, ann):
    texts = [f"Step {number}." for number in range(6)]
    posted = [await api.post(text, user_id=id_of(ann), key=text) for text in texts]
    for one in posted:
        assert (await api.delivery(one.message_id, wait_s=30)).state == "sent"
    assert [one.text for one in ann.chat.answers] == texts


async def test_a_sent_message_is_replaced_and_appended_to_on_the_platform(rest, ann):
    posted = (await rest.post("/messages", json={"user_id": id_of(ann), "message": "One."})).json()
    await delivered(rest, posted["message_id"])
    path = f"/messages/{posted['message_id']}"
    replaced = await rest.put(path, json={"message": "Two."})
    assert (replaced.status_code, replaced.json()["message"], replaced.json()["revision"]) == (202, "Two.", 2)
    for _ in range(2):
        appended = await rest.patch(path, json={"append": " Three."}, headers={"Idempotency-Key": "more"})
        assert (appended.status_code, appended.json()["message"]) == (202, "Two. Three.")
    receipt = await delivered(rest, posted["message_id"])
    assert (receipt["revision"], receipt["delivered_revision"]) == (3, 3)
    assert [one.text for one in ann.chat.answers] == ["Two. Three."]
    assert (await rest.get(path)).json()["message"] == "Two. Three."


async def test_whoever_blocked_june_is_told_of_as_a_failure_and_their_message_is_not_changed(rest, ann):
    ann.blocks_bot()
    posted = (await rest.post("/messages", json={"user_id": id_of(ann), "message": "Hi."})).json()
    receipt = await delivered(rest, posted["message_id"])
    assert (receipt["state"], receipt["error"]["code"], receipt["receipts"]) == ("failed", "not_allowed", [])
    changed = await rest.put(f"/messages/{posted['message_id']}", json={"message": "Ho."})
    assert (changed.status_code, changed.json()["code"]) == (409, "conflict")


async def test_messages_are_listed_by_filter_and_page(rest, ann):
    bob = "77"
    for number in range(5):
        await rest.post("/messages", json={"user_id": id_of(ann), "message": f"{number}", "message_type": "progress"})
    await rest.post("/messages", json={"chat_id": bob, "message": "Hi.", "platform": "discord"})
    texts, cursor = [], None
    while cursor or not texts:
        page = (await rest.get("/messages", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        texts += [one["message"] for one in page["messages"]]
        cursor = page["next_cursor"]
    assert texts == ["Hi.", "4", "3", "2", "1", "0"]
    progress = (await rest.get("/messages", params={"message_type": "progress", "user_id": id_of(ann)})).json()
    assert [one["message"] for one in progress["messages"]] == texts[1:]
    assert [one["chat_id"] for one in (await rest.get("/messages?platform=discord")).json()["messages"]] == [bob]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/messages", {"message": "Hi."}, 422),
        ("POST", "/messages", {"user_id": "1", "message": " \n"}, 422),
        ("POST", "/messages", {"user_id": "1", "message": "x" * 32_001}, 422),
        ("POST", "/messages", {"user_id": "Ann", "message": "Hi."}, 422),
        ("POST", "/messages", {"user_id": "1", "message": "Hi.", "platform": "icq"}, 422),
        ("POST", "/messages", {"user_id": "1", "message": "Hi.", "message_type": "spam"}, 422),
        ("POST", "/messages", {"user_id": "1", "message": "Hi.", "shout": True}, 422),
        (
            "POST",
            "/messages",
            {"user_id": "1", "message": "Hi.", "buttons": [{"label": "é" * 33, "data": "é" * 33}]},
            422,
        ),
        ("POST", "/messages", {"user_id": "1", "message": "x" * 300_000}, 413),
        ("POST", "/messages", b'{"user_id": "1", "message": "\\ud800"}', 422),
        ("POST", "/messages", b'{"\\ud800": 1}', 422),
        ("POST", "/messages", b"no JSON", 400),
        ("POST", "/messages", {"user_id": "770000000000000000", "message": "Hi."}, 422),
        ("GET", "/messages?cursor=AAAA", None, 422),
        ("GET", "/messages?limit=0", None, 422),
        ("GET", "/messages?since=2026-01-01T00:00:00", None, 422),
        ("GET", f"/messages/{'0' * 32}", None, 404),
        ("GET", "/messages/x", None, 404),
        ("GET", "/messages/%00", None, 404),
        ("GET", f"/messages/{'0' * 32}%0A", None, 404),
        ("PUT", "/messages/x", {"message": "Hi."}, 404),
        ("PATCH", "/messages/x", {"append": "Hi."}, 404),
        ("GET", "/messages/x/receipt", None, 404),
        ("GET", f"/messages/{'0' * 32}/receipt", None, 404),
        ("GET", "/letters", None, 404),
        ("PUT", f"/messages/{'0' * 32}", {"message": "Hi."}, 404),
        ("PATCH", f"/messages/{'0' * 32}", {"append": "Hi."}, 404),
        ("DELETE", f"/messages/{'0' * 32}", None, 405),
    ],
)
async def test_what_can_not_be_done_is_told_as_a_problem(rest, method, path, body, status):
    content = body if isinstance(body, bytes) else json.dumps(body)
    answer = await rest.request(method, path, content=content, headers={"Content-Type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["detail"]
    assert problem["code"]


async def test_what_is_no_id_is_told_as_an_id_that_nobody_has(rest):
    unknown = [(await rest.get(f"/messages/{some_id}")).json() for some_id in ("nope", "0" * 32)]
    assert [problem["detail"].split()[-1] for problem in unknown] == ["nope.", f"{'0' * 32}."]
    assert [problem | {"detail": ""} for problem in unknown] == [unknown[0] | {"detail": ""}] * 2


@pytest.mark.parametrize(
    ("content", "headers", "told"),
    [
        (b'{"message": "Hi."}', {}, "body: Send JSON, with the header Content-Type: application/json."),
        (
            b'{"message": "Hi."}',
            {"Content-Type": "application/x-www-form-urlencoded"},  # curl -d
            "body: Send JSON, with the header Content-Type: application/json.",
        ),
        (b'["Hi."]', {"Content-Type": "application/json"}, "body: Send a JSON object."),
        (b'{"message": "Hi."}', {"Content-Type": "application/json"}, "body: give user_id, chat_id or both"),
    ],
)
async def test_a_body_that_can_not_be_used_is_told_with_what_to_do(rest, content, headers, told):
    refused = await rest.post("/messages", content=content, headers=headers)
    assert (refused.status_code, refused.json()["detail"]) == (422, f"This can't be used. {told}")
    assert [f"{one['field']}: {one['problem']}" for one in refused.json()["errors"]] == [told]


@pytest.mark.parametrize(("method", "change"), [("PUT", {"message": "Done."}), ("PATCH", {"append": " Done."})])
async def test_a_change_takes_the_buttons_away(rest, ann, method, change):
    asked = {"user_id": id_of(ann), "message": "Shall I?", "buttons": [{"label": "Do it", "data": "do"}]}
    posted = (await rest.post("/messages", json=asked)).json()
    await delivered(rest, posted["message_id"])
    assert (posted["buttons"], len(ann.chat.answers[0].buttons)) == (asked["buttons"], 1)
    path = f"/messages/{posted['message_id']}"
    assert (await rest.request(method, path, json=change)).json()["buttons"] == []
    await delivered(rest, posted["message_id"])
    assert not ann.chat.answers[0].buttons
    assert (await rest.get(path)).json()["buttons"] == []


async def test_a_body_that_never_ends_is_cut_off(url):
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /messages HTTP/1.1\r\nHost: june\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def send_without_end() -> None:
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    sending = asyncio.create_task(send_without_end())
    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    with pytest.raises(ConnectionError):  # nobody reads it any more
        await sending
    writer.close()


async def test_a_refusal_is_counted_as_what_it_is(rest, url):
    def count(code: str, metrics: str) -> float:
        name = f'june_calls_total{{code="{code}",method="post_message",service="message-api"}}'
        return next((float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(name)), 0.0)

    codes = ("invalid_input", "key_missing", "internal")
    before = (await rest.get("/metrics")).text
    await rest.post("/messages", json={"message": "Hi."})
    async with http(url, "wrong") as stranger:
        await stranger.post("/messages", json={"user_id": "1", "message": "Hi."})
    after = (await rest.get("/metrics")).text
    assert [count(code, after) - count(code, before) for code in codes] == [1, 1, 0]


async def test_health_metrics_and_the_openapi_document_need_no_key(url, ann):
    async with client(url) as api, http(url, None) as rest:
        posted = await api.post("Hi.", user_id=id_of(ann), key="hi")
        await api.delivery(posted.message_id, wait_s=30)
        assert (await rest.get("/health")).json()["ready"] is True
        metrics = (await rest.get("/metrics")).text
        assert 'june_calls_total{code="ok",method="post_message",service="message-api"}' in metrics
        assert 'june_calls_total{code="ok",method="handover",service="message-api"}' in metrics
        document = (await rest.get("/openapi.json")).json()
    assert set(document["paths"]) == {"/messages", "/messages/{message_id}", "/messages/{message_id}/receipt"}
