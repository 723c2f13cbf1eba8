"""What people on Telegram live through with June: all of her on the fake Telegram, with scripted engines."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, closing

import pytest

from essence.audio import decode
from essence.chat import courier
from essence.chat.assistant import COMMANDS
from essence.dialogue import Address, Button, ModelEvent, Transcript, Turn
from essence.errors import InvalidInput, NotAllowed, NotFound, Unreachable
from essence.fakes import ScriptedModel, ToneSynthesizer
from essence.fakes.telegram import LostAnswer, ServerError, TelegramServer, TooManyRequests, User
from essence.ports import Messenger
from essence.rpc.client import open_messenger
from essence.rpc.server import CHANNEL, serving
from essence.services.telegram import albums
from tests.chat_june import NOTE, june
from tests.message_world import client, message_api

LONG = (
    "The first sentence is here now. The second one comes after it. A third is on its way. The fourth ends it all. " * 4
)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


@pytest.fixture
def url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/june.db"


async def test_a_text_is_answered_with_text(telegram, ann, url):
    async with june(telegram, url, ann):
        await ann.says("hello")
        answer = await ann.receives()
    assert answer.text == "All is well."
    assert len(ann.chat.answers) == 1


async def test_a_note_is_answered_by_text_and_by_a_voice_message(telegram, ann, url):
    async with june(telegram, url, ann):
        await ann.sends_voice(NOTE)
        first, second = await ann.receives(), await ann.receives()
    assert {first.text, second.text} == {"All is well.", ""}
    [spoken] = [message.voice for message in (first, second) if message.voice]
    assert sum(pcm.duration_s for pcm in decode(spoken)) > 0.3


async def test_silence_is_told_and_no_model_is_asked(telegram, ann, url):
    model = ScriptedModel("Thank you for watching.")
    async with june(telegram, url, ann, model=model, hears=""):
        await ann.sends_voice(NOTE)
        answer = await ann.receives()
    assert "no speech" in answer.text
    assert model.seen == []


async def test_a_slow_answer_grows_in_one_message(telegram, ann, url):
    async with june(telegram, url, ann, model=ScriptedModel(LONG, token_s=0.03)):
        await ann.says("tell me")
        answer = await ann.receives()
        assert len(answer.text) < len(LONG.strip())
        await ann.chat.until(lambda: answer.text == LONG.strip())
    assert len(ann.chat.answers) == 1
    assert len(answer.versions) > 2


async def test_the_model_is_shown_what_was_said_before(telegram, ann, url):
    model = ScriptedModel("Paris.")
    async with june(telegram, url, ann, model=model):
        await ann.says("capital of France?")
        await ann.receives()
        await ann.says("and its river?")
        await ann.receives()
    assert [turn.text for turn in model.seen[1]] == ["You are June.", "capital of France?", "Paris.", "and its river?"]


async def test_a_stranger_gets_a_code_and_nothing_else_until_they_are_let_in(telegram, ann, url):
    bob, model = telegram.user("Bob"), ScriptedModel("Welcome.")
    async with june(telegram, url, ann, model=model) as assistant:
        await bob.says("let me in")
        refusal = await bob.receives()
        code = (await assistant.store.people.pairings())[0].code
        assert model.seen == []
        assert await assistant.store.people.approve(code)
        await bob.says("and now?")
        assert (await bob.receives()).text == "Welcome."
    assert "python -m essence pair" in refusal.text


async def test_a_group_is_answered_only_when_june_is_meant(telegram, ann, url):
    group = telegram.group("Friends", ann)
    async with june(telegram, url, ann) as assistant:
        await ann.says("not for her", to=group)
        await ann.says(f"@{telegram.bot.username} for her", to=group)
        answer = await group.receives()
        assert answer.reply_to.text.endswith("for her")
        kept = await assistant.store.conversations.read(
            (await assistant.store.inbox.newest("telegram"))[0].address, turns=10, chars=1000
        )
    assert [turn.text for turn in kept] == ["for her", "All is well."]


async def test_her_name_below_somebodys_words_asks_about_them(telegram, ann, url):
    bob, model = telegram.user("Bob"), ScriptedModel("No.")
    group = telegram.group("Friends", ann, bob)
    async with june(telegram, url, ann, model=model):
        said = await bob.says("Is Lyon north of Paris?", to=group)
        await ann.says(f"@{telegram.bot.username}", to=group, reply_to=said)
        assert (await group.receives()).text == "No."
    assert "> Is Lyon north of Paris?" in model.seen[0][-1].text


async def test_her_name_alone_is_answered_without_a_model(telegram, ann, url):
    group, model = telegram.group("Friends", ann), ScriptedModel("All is well.")
    async with june(telegram, url, ann, model=model):
        await ann.says(f"@{telegram.bot.username}", to=group)
        assert (await group.receives()).text.startswith("Yes?")
    assert model.seen == []


async def test_her_name_alone_from_long_ago_is_not_answered(telegram, ann, url):
    group = telegram.group("Friends", ann)
    await ann.says(f"@{telegram.bot.username}", to=group)
    await asyncio.sleep(1.1)
    async with june(telegram, url, ann, chat_fresh_s=0.05):
        while telegram.unconfirmed:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert group.answers == []


async def test_a_group_that_never_spoke_to_june_leaves_nothing_when_it_moves(telegram, ann, url):
    group = telegram.group("Friends", ann)
    async with june(telegram, url, ann):
        await ann.says("not for June", to=group)
        group.moves(ann)
        await ann.says("nor this", to=group)
        while telegram.unconfirmed:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        assert database.execute("SELECT chat FROM chats").fetchall() == []


async def test_what_an_edit_addresses_to_june_is_answered_once(telegram, ann, url):
    group = telegram.group("Friends", ann)
    async with june(telegram, url, ann):
        said = await ann.says("is Lyon north?", to=group)
        await ann.edits(said, f"@{telegram.bot.username} is Lyon north?")
        assert (await group.receives()).reply_to.message_id == said.message_id
    async with june(telegram, url, ann):
        await ann.edits(said, f"@{telegram.bot.username} is Lyon north of Paris?")
        await ann.says(f"@{telegram.bot.username} thanks", to=group)
        assert (await group.receives()).reply_to.text.endswith("thanks")
    assert len(group.answers) == 2


async def test_an_edit_of_something_old_that_june_never_had_is_not_answered(telegram, ann, url):
    group = telegram.group("Friends", ann)
    async with june(telegram, url, ann, chat_fresh_s=1.0):
        said = await ann.says("is Lyon north?", to=group)
        await asyncio.sleep(1.1)
        await ann.edits(said, f"@{telegram.bot.username} is Lyon north?")
        await ann.says(f"@{telegram.bot.username} hello", to=group)
        assert (await group.receives()).reply_to.text.endswith("hello")
    assert len(group.answers) == 1


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
async def test_every_slash_command_is_answered(telegram, ann, url, name):
    async with june(telegram, url, ann):
        await ann.says(f"/{name}")
        assert (await ann.receives()).text


async def test_the_menu_shows_every_slash_command(telegram, ann, url):
    async with june(telegram, url, ann):
        await telegram.called("setMyCommands")
    assert [shown["command"] for shown in telegram.commands] == [name for name, _ in COMMANDS]


async def test_a_mistyped_slash_command_is_guessed(telegram, ann, url):
    async with june(telegram, url, ann):
        await ann.says("/langauge")
        assert "/language" in (await ann.receives()).text


async def test_a_slash_command_that_is_passed_on_is_no_order(telegram, ann, url):
    bob = telegram.user("Bob")
    group = telegram.group("Friends", ann, bob)
    async with june(telegram, url, ann) as assistant:
        await ann.says("keep this")
        await ann.receives()
        await ann.forwards(await bob.says("/reset", to=group))
        assert (await ann.receives()).text == "All is well."
        kept = await assistant.store.conversations.read(
            Address("telegram", str(ann.person.user_id)), turns=10, chars=1000
        )
    assert kept[0].text == "keep this"


@pytest.mark.parametrize("said", ["/voice {}", "/language {}", "/go{}", "/whoami"])
async def test_june_repeats_words_and_names_without_their_markup(telegram, url, said):
    tricky = "[Log*in*](https://evil.example)"
    ann = telegram.user(tricky)
    async with june(telegram, url, ann):
        await ann.says(said.format(tricky))
        answer = await ann.receives()
        await ann.says("/voice")
        voices = await ann.receives()
    assert "[" in answer.text
    assert not {"text_link", "italic"} & {entity["type"] for entity in (*answer.entities, *voices.entities)}


async def test_why_tells_the_stages_of_the_last_answer(telegram, ann, url):
    async with june(telegram, url, ann, model=ScriptedModel("Yes.", first_token_s=0.4)):
        await ann.says("slow?")
        await ann.receives()
        await ann.chat.until(lambda: len(ann.chat.answers) == 1)
        await asyncio.sleep(0.1)
        await ann.says("/why")
        told = await ann.receives()
    assert "Longest at work: LLM" in told.text


async def test_stop_breaks_an_answer_off_and_what_was_said_stays(telegram, ann, url):
    async with june(telegram, url, ann, model=ScriptedModel(LONG, token_s=0.05)):
        await ann.says("tell me")
        answer = await ann.receives()
        await ann.says("/stop")
        assert (await ann.receives()).text == "Stopped."
        await ann.chat.until(lambda: answer.text.endswith("…"))
    assert len(answer.text) < len(LONG.strip())


async def test_what_is_being_answered_when_the_conversation_is_reset_comes_and_is_forgotten_too(telegram, ann, url):
    here = Address("telegram", str(ann.person.user_id))
    async with june(telegram, url, ann, model=ScriptedModel("It is 1234.", first_token_s=0.5)) as assistant:
        await ann.says("my PIN is 1234")
        await ann.sends_voice(NOTE)  # waits
        while not assistant.dispatcher.running:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await ann.says("/reset")
        assert "still answering" in (await ann.receives()).text
        assert sorted([(await ann.receives()).text for _ in range(3)]) == ["", "It is 1234.", "It is 1234."]
        while await assistant.store.inbox.backlog():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await assistant.store.conversations.read(here, turns=10, chars=1000) == ()
        await ann.says("and now?")
        await ann.receives()
        kept = await assistant.store.conversations.read(here, turns=10, chars=1000)
    assert [turn.text for turn in kept] == ["and now?", "It is 1234."]


async def test_a_newer_message_ends_an_answer_that_has_begun(telegram, ann, url):
    class Model(ScriptedModel):
        async def reply(self, history: Sequence[Turn], *, tools=()) -> AsyncIterator[ModelEvent]:
            brief = (
                ScriptedModel("Short.")
                if history[-1].text == "stop that, be brief"
                else ScriptedModel(LONG, token_s=0.05)
            )
            async for event in brief.reply(history):
                yield event

    async with june(telegram, url, ann, model=Model()) as assistant:
        await ann.says("tell me")
        first = await ann.receives()
        answering = assistant.dispatcher.at(Address("telegram", str(ann.person.user_id)))
        while not answering.exchange.begun:  # noqa: ASYNC110 - the platform knows that before June does
            await asyncio.sleep(0.001)
        await ann.says("stop that, be brief")
        second = await ann.receives()
        assert first.text.endswith("…")
    assert second.text == "Short."


async def test_messages_sent_before_the_answer_begins_are_all_answered(telegram, ann, url):
    async with june(telegram, url, ann, model=ScriptedModel("Yes.", first_token_s=0.2)):
        for number in range(4):
            await ann.says(f"question {number}")
        for _ in range(4):
            assert (await ann.receives()).text == "Yes."


async def test_a_backlog_is_announced_once_and_answered_if_wanted(telegram, ann, url):
    for number in range(3):
        await ann.says(f"old {number}")
    await asyncio.sleep(1.1)  # Telegram's times are whole seconds
    async with june(telegram, url, ann, chat_fresh_s=0.05):
        question = await ann.receives()
        assert "3 messages" in question.text
        await ann.presses(question, "Yes, please")
        texts = [(await ann.receives()).text for _ in range(4)]
    assert texts.count("All is well.") == 3


async def test_what_was_edited_while_it_was_set_aside_is_answered_as_it_reads_now(telegram, ann, url):
    said = await ann.says("old wording")
    await asyncio.sleep(1.1)  # Telegram's times are whole seconds
    model = ScriptedModel("All is well.")
    async with june(telegram, url, ann, chat_fresh_s=0.05, model=model):
        question = await ann.receives()
        await ann.edits(said, "new wording")
        while telegram.unconfirmed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await ann.presses(question, "Yes, please")
        await ann.chat.until(lambda: any(answer.text == "All is well." for answer in ann.chat.answers))
    assert model.seen[0][-1].text == "new wording"


async def test_a_backlog_that_was_wanted_is_answered_after_a_restart_unasked(telegram, ann, url):
    for number in range(3):
        await ann.says(f"old {number}")
    await asyncio.sleep(1.1)
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with june(telegram, url, ann, chat_fresh_s=0.05, model=ScriptedModel("", first_token_s=30)):
            await ann.presses(await ann.receives(), "Yes, please")
            assert "I'll go through them: 3." in (await ann.receives()).text
            raise InterruptedError
    async with june(telegram, url, ann, chat_fresh_s=0.05):
        texts = [(await ann.receives()).text for _ in range(3)]
    assert texts == ["All is well."] * 3


async def test_a_backlog_that_is_set_aside_again_is_announced_again(telegram, ann, url):
    await ann.says("old")
    await asyncio.sleep(1.1)
    for _ in range(2):
        async with june(telegram, url, ann, chat_fresh_s=0.05):
            assert "a message" in (await ann.receives()).text
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
            database.execute("update inbox set told_at = null")  # as it is once it was parked again


async def test_a_model_that_is_down_is_told_with_its_name(telegram, ann, url):
    class Down(ScriptedModel):
        async def reply(self, history, *, tools=()):
            raise Unreachable("Nothing answers at the model's address. Is it running?")
            yield

    async with june(telegram, url, ann, model=Down(""), chat_patience_s=0):
        await ann.says("hello")
        answer = await ann.receives()
    assert answer.text.startswith("⚠️")
    assert "Is it running" in answer.text


@pytest.mark.parametrize("fault", [ServerError(), TooManyRequests(1)])
async def test_an_answer_that_the_platform_refuses_for_now_comes_later_and_once(telegram, ann, url, fault):
    telegram.fails("sendMessage", fault)
    async with june(telegram, url, ann):
        await ann.says("hello")
        assert (await ann.receives()).text == "All is well."
    assert len(ann.chat.answers) == 1


async def test_an_answer_whose_receipt_was_lost_comes_again_with_a_mark(telegram, ann, url):
    telegram.fails("sendMessage", LostAnswer())
    async with june(telegram, url, ann):
        await ann.says("hello")
        first, second = await ann.receives(), await ann.receives()
    assert first.text == "All is well."
    assert second.text.startswith("🔁")


async def test_a_language_without_a_voice_is_answered_in_text_with_the_reason(telegram, ann, url):
    async with june(telegram, url, ann, voice=ToneSynthesizer(languages=["de"])):
        await ann.sends_voice(NOTE)
        answer = await ann.receives()
    assert answer.text.startswith("All is well.")
    assert "No voice message" in answer.text


async def test_what_june_cannot_read_is_told(telegram, ann, url):
    async with june(telegram, url, ann):
        await ann.sends_sticker("👍")
        assert "can't read a sticker" in (await ann.receives()).text


async def test_a_voice_answer_can_be_chosen_for_text(telegram, ann, url):
    async with june(telegram, url, ann):
        await ann.says("/voice only")
        await ann.receives()
        await ann.says("hello")
        assert (await ann.receives()).voice
    assert len(ann.chat.answers) == 2


async def test_the_words_can_be_the_caption(telegram, ann, url):
    async with june(telegram, url, ann):
        await ann.says("/voice caption")
        await ann.receives()
        await ann.says("hello")
        answer = await ann.receives()
    assert answer.voice
    assert answer.text == "All is well."


@pytest.fixture(params=["near", "over gRPC", "over HTTP"])
async def messenger(request, telegram, ann, url, tmp_path) -> AsyncIterator[Messenger]:
    async with AsyncExitStack() as stack:
        assistant = await stack.enter_async_context(june(telegram, url, ann))
        if request.param == "near":
            yield assistant.messenger
            return
        address = await stack.enter_async_context(serving(CHANNEL, assistant.messenger))
        if request.param == "over gRPC":
            yield await stack.enter_async_context(open_messenger(address))
        else:
            api = await stack.enter_async_context(message_api(url, tmp_path, telegram_url=address, discord_url="none"))
            yield await stack.enter_async_context(client(api))


async def test_another_service_speaks_to_a_person_once_under_a_key(messenger, ann):
    to = Address("telegram", str(ann.person.user_id))
    first = await messenger.send(to, "Your **tea** is ready.", key="tea", buttons=[Button("Thanks", "thanks")])
    again = await messenger.send(to, "Your **tea** is ready.", key="tea", buttons=[Button("Thanks", "thanks")])
    assert first == again
    [sent] = ann.chat.answers
    assert (sent.text, sent.buttons[0]["text"], str(sent.message_id)) == (
        "Your tea is ready.",
        "Thanks",
        first[0].message_id,
    )


async def test_what_another_service_says_is_spoken_if_it_wants(messenger, ann):
    receipts = await messenger.send(Address("telegram", str(ann.person.user_id)), "Tea.", key="tea", speak=True)
    assert len(receipts) == 2
    assert [bool(sent.voice) for sent in ann.chat.answers] == [False, True]


async def test_a_text_is_changed_by_its_key(messenger, ann):
    to = Address("telegram", str(ann.person.user_id))
    await messenger.send(to, "Your tea is steeping.", key="tea")
    await messenger.edit("tea", "Your tea is ready.")
    assert [sent.text for sent in ann.chat.answers] == ["Your tea is ready."]
    with pytest.raises(NotFound):
        await messenger.edit("coffee", "No.")


async def test_a_change_of_a_text_that_is_only_assumed_to_be_there_comes_below_it(
    telegram, messenger, ann, monkeypatch
):
    monkeypatch.setattr(courier, "LONGEST_PAUSE_S", 0.01)
    telegram.fails("sendMessage", LostAnswer(), times=courier.MOST_LOST)
    [receipt] = await messenger.send(Address("telegram", str(ann.person.user_id)), "The kettle is on.", key="tea")
    assert receipt.assumed
    for text in ("Your tea is ready.", "Your tea is cold."):
        await messenger.edit("tea", text)
        assert [answer.text for answer in ann.chat.answers[courier.MOST_LOST :]] == [text]


async def test_whoever_blocked_june_can_not_be_spoken_to(messenger, ann):
    ann.blocks_bot()
    with pytest.raises(NotAllowed):
        await messenger.send(Address("telegram", str(ann.person.user_id)), "Hi.", key="hi")


async def test_what_can_not_be_sent_is_refused_before_it_is_kept(messenger, ann):
    with pytest.raises(InvalidInput):
        await messenger.send(Address("discord", "1"), "Hi.", key="hi")
    with pytest.raises(InvalidInput):
        await messenger.send(Address("telegram", "1"), "  ", key="hi")


async def test_a_guest_who_sends_too_much_is_told_once_and_an_owner_is_not_limited(telegram, ann, url):
    bob = telegram.user("Bob")
    async with june(telegram, url, ann, guests=[bob], rate_limit_messages="2/minute"):
        for person in (bob, ann):
            for number in range(5):
                await person.says(f"question {number}")
        for _ in range(5):
            assert (await ann.receives()).text == "All is well."
        bobs = [(await bob.receives()).text for _ in range(3)]
    assert bobs.count("All is well.") == 2
    assert sum("more than I can take" in text for text in bobs) == 1
    assert len(bob.chat.answers) == 3


class Polyglot:
    """Hears each note in the next of these languages, or in the one that it is told."""

    def __init__(self, *heard: tuple[str, float, float]) -> None:
        self._heard = iter(heard)
        self.told: list[str | None] = []

    async def transcribe(self, speech, *, language=None, word_times=False) -> AsyncIterator[Transcript]:
        async for _ in speech:
            pass
        self.told.append(language)
        code, probability, duration_s = (language, 1.0, 1.0) if language else next(self._heard)
        yield Transcript("words", speech=True, language=code, language_probability=probability, duration_s=duration_s)


async def test_one_noisy_note_in_another_language_does_not_switch_it(telegram, ann, url):
    heard = Polyglot(("de", 0.9, 5.0), ("cy", 0.6, 1.0), ("de", 0.9, 5.0))
    async with june(telegram, url, ann, transcriber=heard, voice=ToneSynthesizer(languages=["de"])):
        for _ in range(3):
            await ann.sends_voice(NOTE)
            first, second = await ann.receives(), await ann.receives()
            assert first.voice or second.voice  # in German, for there is no other voice
    assert heard.told == [None, None, "de", None]


async def test_a_chosen_language_is_listened_for_and_the_model_is_told(telegram, ann, url):
    heard, model = Polyglot(), ScriptedModel("Alles gut.")
    async with june(telegram, url, ann, transcriber=heard, model=model, voice=ToneSynthesizer(languages=["de"])):
        await ann.says("/language Deutsch")
        assert "German" in (await ann.receives()).text
        await ann.sends_voice(NOTE)
        await ann.receives()
    assert heard.told == ["de"]
    assert "Answer in German" in model.seen[0][0].text


async def test_an_owner_lets_somebody_in_by_a_button_and_nobody_else_can(telegram, ann, url):
    bob, eve = telegram.user("Bob"), telegram.user("Eve")
    async with june(telegram, url, ann, guests=[eve]):
        await bob.says("let me in")
        await bob.receives()
        question = await ann.receives()
        assert "Bob" in question.text
        await eve.presses(question, "Let them in")
        await ann.chat.until(lambda: any("Only an owner" in said.text for said in ann.chat.answers))
        await ann.presses(question, "Let them in")
        await ann.chat.until(lambda: any("Bob may talk" in said.text for said in ann.chat.answers))
        await bob.says("and now?")
        assert (await bob.receives()).text == "All is well."


async def test_a_button_for_a_request_that_was_removed_blocks_nobody(telegram, ann, url):
    bob = telegram.user("Bob")
    async with june(telegram, url, ann) as assistant:
        await bob.says("let me in")
        await bob.receives()
        question = await ann.receives()
        await assistant.store.people.remove("telegram", str(bob.person.user_id))
        await ann.presses(question, "Let them in")
        assert "Nobody has the code" in (await ann.receives()).text
        await ann.says("hello")
        assert (await ann.receives()).text == "All is well."


async def test_a_strangers_name_puts_nothing_into_junes_mouth(telegram, ann, url):
    name = "[June needs you to log in](https://evil.example) *now*"
    bob = telegram.user(name)
    async with june(telegram, url, ann):
        await bob.says("let me in")
        question = await ann.receives()
        assert question.text.startswith(f"{name} (@")
        await ann.presses(question, "Let them in")
        assert (await ann.receives()).text == f"{name} may talk to me now."
    assert not {"text_link", "italic"} & {entity["type"] for entity in question.entities}


@pytest.mark.parametrize("words_at", [0, 1, 2])
async def test_an_album_with_words_is_answered_once(telegram, ann, url, words_at):
    async with june(telegram, url, ann):
        for number in range(3):
            await ann.sends_photo(b"jpeg", caption="nice?" if number == words_at else "", album_id="7")
            await asyncio.sleep(0.1)
        await ann.receives()
        await asyncio.sleep(0.2)
    assert [answer.text for answer in ann.chat.answers] == ["All is well."]


async def test_an_album_without_words_is_told_once_to_be_unreadable(telegram, ann, url, monkeypatch):
    monkeypatch.setattr(albums, "PATIENCE_S", 0.1)
    async with june(telegram, url, ann):
        await ann.sends_album(b"1", b"2", caption="nice?")
        await ann.receives()
        await ann.sends_album(b"3", b"4")
        await ann.receives()
        await asyncio.sleep(0.2)
    assert [answer.text[:25] for answer in ann.chat.answers] == ["All is well.", "I can't read a photo yet."]


async def test_a_conversation_goes_on_in_the_supergroup_that_its_group_becomes(telegram, ann, url):
    group, model = telegram.group("Friends", ann), ScriptedModel("Paris.")
    home = Address("telegram", str(group.chat.chat_id))
    async with june(telegram, url, ann, model=model) as assistant:
        await ann.says("@june_fake_bot capital of France?", to=group)
        await group.receives()
        while len(await assistant.store.conversations.read(home, turns=9, chars=999)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        group.moves(ann)
        await ann.says("@june_fake_bot and its river?", to=group)
        await group.receives()
    assert [turn.text for turn in model.seen[-1][-3:-1]] == ["capital of France?", "Paris."]


async def test_a_stranger_who_knocks_often_is_announced_once(telegram, ann, url):
    bob = telegram.user("Bob")
    async with june(telegram, url, ann):
        for _ in range(3):
            await bob.says("let me in")
            await bob.receives()
        await ann.receives()
        await asyncio.sleep(0.2)
    assert len(ann.chat.answers) == 1


async def test_a_model_that_comes_back_soon_answers_late_rather_than_not_at_all(telegram, ann, url):
    class Restarting(ScriptedModel):
        async def reply(self, history, *, tools=()):
            if not self.seen:
                self.seen.append(tuple(history))
                raise Unreachable("Nothing answers at the model's address. Is it running?")
            async for event in super().reply(history, tools=tools):
                yield event

    async with june(telegram, url, ann, model=Restarting("Here I am.")):
        await ann.sends_voice(NOTE)
        texts = [(await ann.receives()).text for _ in range(2)]
    assert "Here I am." in texts
    assert not any("⚠️" in text for text in texts)
