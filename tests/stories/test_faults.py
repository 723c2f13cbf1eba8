"""Engines, store, clock and platform fail: each message has an end that its sender sees, and only one.

That nobody is left without an end is asserted twice: by what is seen on the platform, and by the watchdog's count of
those whom nothing else had told anything, `june_messages_without_end_total`. The watchdog acts without grace here.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import Connection, event

from essence.audio import Pcm
from essence.chat import courier, dispatcher, exchange, intake, watchdog
from essence.chat.assistant import Assistant
from essence.chat.exchange import NO_SPEECH
from essence.chat.notices import NOTHING_IS_KEPT
from essence.dialogue import Finished
from essence.errors import Unreachable
from essence.fakes import ScriptedModel, ScriptedTranscriber, ToneSynthesizer
from essence.fakes.telegram import Hang, LostAnswer, ServerError, Slow, TelegramServer, TooManyRequests, User
from essence.services.telegram import polling
from essence.store import clock
from essence.store.inbox import DurableInbox
from tests.chat_june import NOTE, june, line_to

DEADLINE_S = dispatcher.LAST_WORDS_S + 1
"""Leaves an answer one second."""
SLOW = "The first sentence is here. The second one comes later. The third one ends it all."


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


def without_end() -> float:
    return REGISTRY.get_sample_value("june_messages_without_end_total", {"platform": "telegram"}) or 0.0


@pytest.fixture(autouse=True)
def nobody_is_left_without_an_end(monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(watchdog, "GRACE_S", 0.0)
    monkeypatch.setattr(watchdog, "EVERY_S", 0.1)
    before = without_end()
    yield
    assert without_end() == before


def seen(user: User) -> list[str]:
    """What stands on their screen from June, in order; voice messages by their names."""
    return [message.text or ("(voice)" if message.voice else "") for message in user.chat.answers]


def ends(user: User, answer: str) -> int:
    """How many messages hold a whole answer or a failure."""
    return sum(answer in text or "⚠️" in text for text in seen(user))


# --- engines


class Switch:
    """An engine's fault, until it heals."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def heal(self) -> None:
        self.fault = ""

    async def strike(self) -> None:
        if self.fault == "down":
            raise Unreachable("Nothing answers at the engine's address. Is it running?")
        if self.fault == "crashing":
            raise RuntimeError("a bug")
        if self.fault == "hanging":
            await asyncio.Event().wait()


class Deaf(ScriptedTranscriber):
    def __init__(self, switch: Switch) -> None:
        super().__init__("what is up")
        self._switch = switch

    async def transcribe(self, speech, *, language=None, word_times=False):
        await self._switch.strike()
        async for transcript in super().transcribe(speech, language=language, word_times=word_times):
            yield transcript


class Dumb(ScriptedModel):
    def __init__(self, switch: Switch) -> None:
        super().__init__("All is well.")
        self._switch = switch

    async def reply(self, history, *, tools=()):
        await self._switch.strike()
        if self._switch.fault == "silent":
            yield Finished("stop")
            return
        model = ScriptedModel("<think>Shall I?</think>") if self._switch.fault == "only thinking" else super()
        async for told in model.reply(history, tools=tools):
            yield told


class Hoarse(ToneSynthesizer):
    def __init__(self, switch: Switch) -> None:
        super().__init__()
        self._switch = switch

    async def synthesize(self, text, *, voice=None, language=None):
        await self._switch.strike()
        if self._switch.fault == "silent":
            return
        if self._switch.fault == "empty":
            yield Pcm(b"", self.rate)
            return
        async for pcm in super().synthesize(text, voice=voice, language=language):
            yield pcm


async def sends(ann: User, kind: str) -> None:
    await (ann.says("what is up") if kind == "text" else ann.sends_voice(NOTE))


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is asked for rings no bell
            await asyncio.sleep(0.01)


async def until_ended(assistant: Assistant) -> None:
    async with asyncio.timeout(20):
        while await assistant.store.inbox.backlog():  # noqa: ASYNC110 - a store rings no bell for ends
            await asyncio.sleep(0.02)


async def failed_by_name_then_answered(ann: User, kind: str, assistant: Assistant, switch: Switch) -> None:
    await sends(ann, kind)
    failure = await ann.receives()
    await until_ended(assistant)
    assert "⚠️" in failure.text
    assert len(ann.chat.answers) == 1
    switch.heal()
    await sends(ann, kind)
    await ann.chat.until(lambda: "All is well." in seen(ann))
    await until_ended(assistant)
    assert ends(ann, "All is well.") == 2


@pytest.mark.parametrize("fault", ["down", "hanging", "crashing"])
async def test_ears_that_fail_are_told_and_the_next_note_is_answered(telegram, ann, url, fault):
    switch = Switch(fault)
    settings = {"transcriber": Deaf(switch), "chat_patience_s": 0, "message_deadline_s": DEADLINE_S}
    async with june(telegram, url, ann, **settings) as assistant:
        await failed_by_name_then_answered(ann, "voice", assistant, switch)


@pytest.mark.parametrize("kind", ["text", "voice"])
@pytest.mark.parametrize("fault", ["down", "hanging", "crashing", "silent", "only thinking"])
async def test_a_model_that_fails_is_told_and_the_next_message_is_answered(telegram, ann, url, kind, fault):
    switch = Switch(fault)
    settings = {"model": Dumb(switch), "chat_patience_s": 0, "message_deadline_s": DEADLINE_S}
    async with june(telegram, url, ann, **settings) as assistant:
        await failed_by_name_then_answered(ann, kind, assistant, switch)


@pytest.mark.parametrize("fault", ["down", "hanging", "crashing", "silent", "empty"])
@pytest.mark.parametrize("kind", ["text", "voice"])
@pytest.mark.parametrize("form", ["on", "only"])
async def test_a_voice_that_fails_costs_no_text(telegram, ann, url, kind, form, fault):
    switch = Switch(fault)
    async with june(telegram, url, ann, voice=Hoarse(switch), message_deadline_s=DEADLINE_S) as assistant:
        await ann.says(f"/voice {form}")
        await ann.receives()
        await sends(ann, kind)
        await ann.chat.until(lambda: any("No voice message" in text or "⚠️" in text for text in seen(ann)))
        await until_ended(assistant)
        [_, told] = seen(ann)
        assert told.startswith("All is well.")
        switch.heal()
        await sends(ann, kind)
        await ann.chat.until(lambda: "(voice)" in seen(ann))


async def test_an_answer_that_can_not_be_spoken_is_shown(telegram, ann, url):
    async with june(telegram, url, ann, model=ScriptedModel("👍")):
        await ann.says("/voice only")
        await ann.receives()
        await ann.says("show me")
        assert (await ann.receives()).text == "👍"


async def test_what_still_worked_on_it_gives_way_to_a_voice(telegram, ann, url):
    slow = ScriptedModel("All is well.", first_token_s=1.5)
    async with june(telegram, url, ann, model=slow, chat_slow_s=0.1):
        await ann.says("/voice only")
        await ann.receives()
        await ann.says("hello")
        await ann.chat.until(lambda: "(voice)" in seen(ann))
        await ann.chat.until(lambda: not any("⏳" in text for text in seen(ann)))


async def test_what_still_worked_on_it_gives_way_to_the_word_that_nobody_spoke(telegram, ann, url):
    class Slow(ScriptedTranscriber):
        async def transcribe(self, speech, *, language=None, word_times=False):
            await asyncio.sleep(2.5)
            async for transcript in super().transcribe(speech, language=language, word_times=word_times):
                yield transcript

    async with june(telegram, url, ann, transcriber=Slow(""), chat_slow_s=0.1):
        await ann.sends_voice(NOTE)
        await ann.chat.until(lambda: any("no speech" in text for text in seen(ann)))
    assert seen(ann) == [exchange.NO_SPEECH]


GERMAN = "Die Hauptstadt von Frankreich ist Paris, und sie liegt an der Seine."


class German(ToneSynthesizer):
    """Notes which languages it is asked for."""

    def __init__(self, switch: Switch) -> None:
        super().__init__(languages=["de"])
        self._switch = switch
        self.asked: list[str | None] = []

    async def synthesize(self, text, *, voice=None, language=None):
        self.asked.append(language)
        await self._switch.strike()
        async for pcm in super().synthesize(text, voice=voice, language=language):
            yield pcm


def is_answer_kept(url: str) -> bool:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        [(count,)] = database.execute("select count(*) from turns where role = 'assistant'")
    return count > 0


async def test_an_answer_that_is_taken_up_after_a_restart_is_spoken_in_its_language(telegram, ann, url):
    switch = Switch("hanging")
    voice = German(switch)
    engines = {"model": ScriptedModel(GERMAN), "voice": voice}
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with june(telegram, url, ann, transcriber=ScriptedTranscriber("was", language="de"), **engines):
            await ann.sends_voice(NOTE)
            await until(lambda: voice.asked and is_answer_kept(url))
            raise InterruptedError
    switch.heal()
    async with june(telegram, url, ann, **engines):
        await ann.chat.until(lambda: "(voice)" in seen(ann))
    assert len(voice.asked) > 1
    assert set(voice.asked) == {"de"}


async def test_words_that_fit_below_no_voice_message_come_although_june_was_killed_before_them(
    telegram, ann, url, monkeypatch
):
    send = courier.Courier.send

    async def dies_at_the_second(self, key, to, reply, *, under=None):
        if key.endswith(":v1"):
            await asyncio.Event().wait()
        return await send(self, key, to, reply, under=under)

    words = " ".join(f"Sentence number {number} is here now." for number in range(40))
    with pytest.raises(ExceptionGroup, match="unhandled"), monkeypatch.context() as patched:
        patched.setattr(courier.Courier, "send", dies_at_the_second)
        async with june(telegram, url, ann, model=ScriptedModel(words)) as assistant:
            await ann.says("/voice caption")
            await ann.receives()
            await ann.says("hello")
            await ann.chat.until(lambda: any(answer.voice for answer in ann.chat.answers))
            await until(lambda: not assistant.courier._on_their_way)
            raise InterruptedError
    async with june(telegram, url, ann, model=ScriptedModel(words)) as assistant:
        await until_ended(assistant)
    _, *told = ann.chat.answers
    assert [bool(answer.voice) for answer in told] == [True, False]
    assert " ".join(" ".join(answer.text for answer in told).split()) == words


# --- the store


class Disk:
    """The disk below a store: slow, full or read-only, from the next transaction on."""

    def __init__(self, assistant: Assistant) -> None:
        self._pragmas: list[str] = []
        self._slow_s = 0.0
        event.listen(assistant.store._database._engine, "before_cursor_execute", self._before_a_transaction)

    def _before_a_transaction(self, _: Connection, cursor: sqlite3.Cursor, statement: str, *__: object) -> None:
        if statement.startswith("BEGIN"):
            time.sleep(self._slow_s)
            pragmas, self._pragmas = self._pragmas, []
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")

    def slows(self, seconds: float) -> None:
        self._slow_s = seconds

    def fills(self) -> None:
        self._pragmas = ["max_page_count=1"]  # SQLite makes it the present size

    def locks(self) -> None:
        self._pragmas = ["query_only=1"]

    def heals(self) -> None:
        self._slow_s = 0.0
        self._pragmas = ["query_only=0", "max_page_count=1000000"]


class Echo(ScriptedModel):
    """Answers with the first two words of the question, once for each."""

    def __init__(self, first_token_s: float = 0.0) -> None:
        super().__init__("")
        self._first_s = first_token_s

    async def reply(self, history, *, tools=()):
        self.seen.append(tuple(history))
        words = " ".join(history[-1].text.split()[:2])
        async for told in ScriptedModel(f"Answer to {words}.", first_token_s=self._first_s).reply(history):
            yield told


async def test_what_a_full_store_can_not_keep_is_told_once_and_answered_later_once(telegram, ann, url):
    async with june(telegram, url, ann, model=Echo()) as assistant:
        await ann.says("question 0")
        await ann.receives()
        disk = Disk(assistant)
        disk.fills()
        for number in range(1, 7):
            await ann.says(f"question {number} {'x' * 4000}")
        await ann.chat.until(lambda: any("can't keep messages" in text for text in seen(ann)))
        disk.heals()
        await ann.chat.until(lambda: "Answer to question 6." in seen(ann))
        await until_ended(assistant)
    told = seen(ann)
    assert sorted(text for text in told if text.startswith("Answer")) == [f"Answer to question {n}." for n in range(7)]
    assert [text for text in told if not text.startswith("Answer")] == [NOTHING_IS_KEPT]


LENGTHY = f"hello there {'x' * 4000}"
"""For which a full store has no room."""


async def test_a_guest_whose_message_could_not_be_kept_has_not_used_up_what_they_may_send(
    telegram, ann, url, monkeypatch
):
    monkeypatch.setattr(polling, "LONGEST_PAUSE_S", 0.2)
    bob = telegram.user("Bob")
    async with june(telegram, url, ann, guests=[bob], rate_limit_messages="1/hour", model=Echo()) as assistant:
        disk = Disk(assistant)
        disk.fills()
        await bob.says(LENGTHY)
        await bob.chat.until(lambda: seen(bob) == [NOTHING_IS_KEPT])
        await asyncio.sleep(1.5)  # some five tries
        disk.heals()
        await bob.chat.until(lambda: "Answer to hello there." in seen(bob))
        await until_ended(assistant)
        await bob.says("one more")
        await bob.chat.until(lambda: any("more than I can take" in text for text in seen(bob)))


async def test_a_guest_whose_refusal_could_not_be_kept_is_told_of_it_later(telegram, ann, url, monkeypatch):
    monkeypatch.setattr(polling, "LONGEST_PAUSE_S", 0.2)
    bob = telegram.user("Bob")
    async with june(telegram, url, ann, guests=[bob], rate_limit_messages="1/hour") as assistant:
        await bob.says("hello there")
        await bob.receives()
        await until_ended(assistant)
        disk = Disk(assistant)
        disk.fills()
        await bob.says(LENGTHY)
        await bob.chat.until(lambda: NOTHING_IS_KEPT in seen(bob))
        await asyncio.sleep(1.0)
        disk.heals()
        await bob.chat.until(lambda: any("more than I can take" in text for text in seen(bob)))


BOTH_ANSWERS = ["Answer to good morning.", "Answer to hello there."]
MOMENTS = ("before it comes", "while the model thinks", "while the answer is on its way")


@contextmanager
def held_by_another_process(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None, timeout=10)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def reach(moment: str, telegram: TelegramServer, ann: User, model: ScriptedModel) -> None:
    """Have June answer once, then a message said; return at that moment of its way."""
    await ann.says("good morning")
    await ann.receives()
    model.seen.clear()
    telegram.fails("sendMessage", Slow(0.5, after_effect=True))
    if moment == MOMENTS[0]:
        return
    await ann.says("hello there")
    if moment == MOMENTS[1]:
        await until(lambda: model.seen)
    else:
        await telegram.called("sendMessage", times=2, done=False)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_store_that_is_read_only_for_a_while_costs_no_answer(telegram, ann, url, moment):
    model = Echo(first_token_s=0.3)
    async with june(telegram, url, ann, model=model, chat_lease_s=1.1) as assistant:
        disk = Disk(assistant)
        await reach(moment, telegram, ann, model)
        disk.locks()
        if moment == MOMENTS[0]:
            await ann.says("hello there")
        await asyncio.sleep(2.5)
        disk.heals()
        await ann.chat.until(lambda: "Answer to hello there." in seen(ann))
        await until_ended(assistant)
    assert [text for text in seen(ann) if text != NOTHING_IS_KEPT] == BOTH_ANSWERS
    assert seen(ann).count(NOTHING_IS_KEPT) == (moment != MOMENTS[2])


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_store_that_another_process_holds_for_a_while_costs_no_answer(telegram, ann, url, moment):
    model = Echo(first_token_s=0.3)
    async with june(telegram, url, ann, model=model, store_deadline_s=0.5, chat_lease_s=5) as assistant:
        await reach(moment, telegram, ann, model)
        with held_by_another_process(Path(url.removeprefix("sqlite:///"))):
            if moment == MOMENTS[0]:
                await ann.says("hello there")
            await asyncio.sleep(2.5)
        await ann.chat.until(lambda: "Answer to hello there." in seen(ann))
        await until_ended(assistant)
    assert seen(ann) == BOTH_ANSWERS


async def test_a_slow_disk_delays_and_nothing_else(telegram, ann, url):
    async with june(telegram, url, ann) as assistant:
        Disk(assistant).slows(0.1)
        await ann.sends_voice(NOTE)
        await ann.chat.until(lambda: len(seen(ann)) == 2)
        await until_ended(assistant)
    assert sorted(seen(ann)) == ["(voice)", "All is well."]


# --- the clock


class Wall(datetime):
    """The wall clock, which somebody can set."""

    wrong = timedelta()

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + cls.wrong


@pytest.fixture
def wall(monkeypatch) -> Iterator[type[Wall]]:
    for module in (clock, courier, dispatcher, exchange, intake, watchdog):
        monkeypatch.setattr(module, "datetime", Wall)
    yield Wall
    Wall.wrong = timedelta()


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["forwards", "backwards"])
async def test_an_answer_outlives_a_jump_of_the_clock(telegram, ann, url, wall, jump):
    model = Echo(first_token_s=1.0)
    async with june(telegram, url, ann, model=model, chat_lease_s=1.1) as assistant:
        await ann.says("hello there")
        await until(lambda: model.seen)
        wall.wrong = jump
        assert (await ann.receives()).text == "Answer to hello there."
        await until_ended(assistant)
    assert len(model.seen) == 1


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)], ids=["forwards", "backwards"])
async def test_a_deadline_outlives_a_jump_of_the_clock(telegram, ann, url, wall, jump):
    async with june(telegram, url, ann, model=Dumb(Switch("hanging")), message_deadline_s=DEADLINE_S + 2) as assistant:
        await ann.says("hello there")
        await until(lambda: assistant.dispatcher.running)
        wall.wrong = jump
        assert "took longer" in (await ann.receives()).text
        await until_ended(assistant)
    assert len(seen(ann)) == 1


async def test_a_clock_that_is_set_back_delays_no_answer_that_waits_to_be_sent_again(telegram, ann, url, wall):
    telegram.fails("sendMessage", TooManyRequests(1))
    async with june(telegram, url, ann):
        await ann.says("hello there")
        await telegram.called("sendMessage")
        wall.wrong = timedelta(hours=-1)
        assert (await ann.receives()).text == "All is well."


# --- the platform


@pytest.fixture
def quick_to_look_again(monkeypatch) -> None:
    monkeypatch.setattr(courier, "LONGEST_PAUSE_S", 0.3)
    monkeypatch.setattr(polling, "LONGEST_PAUSE_S", 0.3)


OUTAGE_S = DEADLINE_S + 1
"""As an hour is to ten minutes: every deadline passes in it."""


@pytest.mark.usefixtures("quick_to_look_again")
async def test_an_outage_delays_what_is_kept_and_announces_what_got_old(telegram, ann, url):
    bob = telegram.user("Bob")
    async with line_to(telegram.url) as line:
        settings = {"api_url": line.url, "message_deadline_s": DEADLINE_S, "chat_fresh_s": 2.0, "guests": [bob]}
        async with june(telegram, url, ann, model=Echo(first_token_s=0.5), **settings) as assistant:
            await ann.says("hello there")
            await bob.sends_voice(NOTE)
            await until(lambda: assistant.dispatcher.running == 2)
            await line.cut()
            for number in range(3):
                await ann.says(f"question {number}")
            await asyncio.sleep(OUTAGE_S)
            await line.mend()
            await ann.chat.until(lambda: len(seen(ann)) == 2)
            await bob.chat.until(lambda: len(seen(bob)) == 2)
            await until_ended(assistant)
    assert seen(ann)[0] == "Answer to hello there."
    assert seen(ann)[1] == "You sent 3 messages while I was away. Shall I go through them?"
    assert sorted(seen(bob)) == ["(voice)", "Answer to what is."]


@pytest.mark.usefixtures("quick_to_look_again")
async def test_a_note_that_could_not_be_fetched_in_an_outage_is_answered_after_it(telegram, ann, url):
    telegram.fails("getFile", Hang())
    async with line_to(telegram.url) as line:
        settings = {"api_url": line.url, "message_deadline_s": DEADLINE_S, "chat_patience_s": 0.5}
        async with june(telegram, url, ann, **settings) as assistant:
            await ann.sends_voice(NOTE)
            await telegram.called("getFile", done=False)
            await line.cut()
            await asyncio.sleep(OUTAGE_S)
            await line.mend()
            await ann.chat.until(lambda: len(seen(ann)) == 2)
            await until_ended(assistant)
    assert sorted(seen(ann)) == ["(voice)", "All is well."]


@pytest.mark.usefixtures("quick_to_look_again")
async def test_an_answer_that_the_platform_takes_only_after_its_deadline_is_no_failure(telegram, ann, url):
    telegram.fails("sendMessage", ServerError(), times=None)
    async with june(telegram, url, ann, message_deadline_s=DEADLINE_S) as assistant:
        await ann.says("hello there")
        await asyncio.sleep(OUTAGE_S)
        telegram.heals()
        assert (await ann.receives()).text == "All is well."
        await until_ended(assistant)
    assert len(seen(ann)) == 1


@pytest.mark.usefixtures("quick_to_look_again")
async def test_that_nobody_spoke_is_told_however_late_the_platform_takes_it(telegram, ann, url):
    telegram.fails("sendMessage", ServerError(), times=None)
    async with june(telegram, url, ann, hears="", message_deadline_s=DEADLINE_S) as assistant:
        await ann.sends_voice(NOTE)
        await asyncio.sleep(OUTAGE_S)
        telegram.heals()
        await ann.chat.until(lambda: seen(ann))
        await until_ended(assistant)
    assert seen(ann) == [exchange.NO_SPEECH]


async def test_a_failure_is_told_although_an_earlier_word_was_taken_back(telegram, ann, url):
    telegram.fails("sendMessage", TooManyRequests(60))
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with june(telegram, url, ann, hears=""):
            await ann.sends_voice(NOTE)
            await telegram.called("sendMessage")
            await asyncio.sleep(0.2)
            raise InterruptedError
    async with june(telegram, url, ann, transcriber=Deaf(Switch("down")), chat_patience_s=0) as assistant:
        await until_ended(assistant)
        await ann.chat.until(lambda: seen(ann))
    assert len(seen(ann)) == 1
    assert "⚠️" in seen(ann)[0]


@pytest.mark.usefixtures("quick_to_look_again")
async def test_an_answer_whose_receipts_are_all_lost_comes_some_times_and_is_assumed_then(
    telegram, ann, url, monkeypatch
):
    monkeypatch.setattr(courier, "LONGEST_PAUSE_S", 0.01)
    telegram.fails("sendMessage", LostAnswer(), times=None)
    async with june(telegram, url, ann, model=Echo()) as assistant:
        asked = await ann.says("hello there")
        await ann.chat.until(lambda: len(seen(ann)) == courier.MOST_LOST)
        await until_ended(assistant)
        telegram.heals()
        await ann.says("good morning")
        await ann.chat.until(lambda: "Answer to good morning." in seen(ann))
        [part] = await assistant.store.outbox.parts(f"telegram:{ann.person.user_id}:{asked.message_id}")
    first, *repeats, last = seen(ann)
    assert (first, last) == ("Answer to hello there.", "Answer to good morning.")
    assert [text.endswith(first) and text.startswith("🔁") for text in repeats] == [True] * (courier.MOST_LOST - 1)
    assert part.receipt.assumed


@pytest.mark.usefixtures("quick_to_look_again")
async def test_a_text_that_grew_after_its_beginning_was_assumed_to_be_there_stands_there_whole(
    telegram, ann, url, monkeypatch
):
    monkeypatch.setattr(courier, "LONGEST_PAUSE_S", 0.01)
    telegram.fails("sendMessage", LostAnswer(), times=courier.MOST_LOST)
    async with june(telegram, url, ann, model=ScriptedModel(SLOW, token_s=0.1)):
        await ann.says("hello there")
        await ann.chat.until(lambda: SLOW in seen(ann))
    assert len(seen(ann)) == courier.MOST_LOST + 1
    assert seen(ann)[-1] == SLOW


async def test_that_nobody_spoke_is_told_once_though_june_is_killed_before_she_has_done_with_it(
    telegram, ann, url, monkeypatch
):
    class Hesitant(ScriptedTranscriber):
        async def transcribe(self, *args, **rest):
            await asyncio.sleep(2)
            async for one in super().transcribe(*args, **rest):
                yield one

    finish, stuck = DurableInbox.finish, asyncio.Event()

    async def hang(*_, **__) -> None:
        stuck.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(DurableInbox, "finish", hang)
    with pytest.raises(ExceptionGroup, match="unhandled"):
        async with june(telegram, url, ann, hears=""):
            await ann.sends_voice(NOTE)
            await ann.receives()
            await stuck.wait()
            raise InterruptedError
    monkeypatch.setattr(DurableInbox, "finish", finish)
    async with june(telegram, url, ann, transcriber=Hesitant(""), chat_slow_s=0.5) as assistant:
        await until_ended(assistant)
    assert seen(ann).count(NO_SPEECH) == 1


@pytest.mark.usefixtures("quick_to_look_again")
async def test_whoever_waits_for_an_answer_that_is_tried_again_asks_the_store_now_and_then(
    telegram, ann, url, monkeypatch
):
    for _ in range(2):
        telegram.fails("sendMessage", TooManyRequests(2))
    async with june(telegram, url, ann) as assistant:
        parts, asked = assistant.store.outbox.parts, []

        async def counted(message_key: str):
            asked.append(message_key)
            return await parts(message_key)

        monkeypatch.setattr(assistant.store.outbox, "parts", counted)
        await ann.says("hello there")
        assert (await ann.receives()).text == "All is well."
    assert len(asked) < 10


@pytest.mark.usefixtures("quick_to_look_again")
async def test_a_failure_in_an_outage_is_told_after_it(telegram, ann, url):
    switch = Switch("hanging")
    async with line_to(telegram.url) as line:
        settings = {"api_url": line.url, "message_deadline_s": DEADLINE_S}
        async with june(telegram, url, ann, model=Dumb(switch), **settings) as assistant:
            await ann.says("hello there")
            await until(lambda: assistant.dispatcher.running)
            await line.cut()
            await asyncio.sleep(OUTAGE_S)
            assert len(await assistant.store.inbox.backlog()) == 1
            await line.mend()
            await ann.chat.until(lambda: any("took longer" in text for text in seen(ann)))
            await until_ended(assistant)
    assert len(seen(ann)) == 1
