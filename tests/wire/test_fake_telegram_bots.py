"""python-telegram-bot, which nobody here wrote, runs against the fake as it runs against Telegram."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import Response
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TimedOut
from telegram.ext import Application, ApplicationBuilder, CallbackQueryHandler, CommandHandler, MessageHandler, filters

from essence.audio import Pcm, encode_voice
from essence.fakes.telegram import Hang, LostAnswer, ServerError, TelegramServer, TooManyRequests, User
from tests.telegram_hook import Listening

OGG = encode_voice([Pcm(bytes(48_000 * 2), 48_000)]).data


@pytest.fixture(autouse=True)
def _as_the_next_version_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # durations are timedelta; the other way is deprecated


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
def ann(telegram: TelegramServer) -> User:
    return telegram.user("Ann")


async def echo(update: Update, _: object) -> None:
    message = update.effective_message
    if message.voice:
        file = await message.voice.get_file()
        await message.reply_voice(
            bytes(await file.download_as_bytearray()), caption=f"{message.voice.duration.total_seconds():.0f} s"
        )
    else:
        await message.reply_text(message.text_html, parse_mode="HTML", do_quote=True)


async def start(update: Update, _: object) -> None:
    buttons = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="y")]])
    await update.message.reply_text("Shall we?", reply_markup=buttons)


async def pressed(update: Update, _: object) -> None:
    await update.callback_query.answer("Good")
    await update.callback_query.edit_message_text(f"You said {update.callback_query.data}")


def application(telegram: TelegramServer, token: str = "") -> Application:
    builder = ApplicationBuilder().token(token or telegram.token)
    app = builder.base_url(telegram.base_url).base_file_url(telegram.base_file_url).build()
    app.add_handler(CommandHandler("start", start))
    app.add_handler(CallbackQueryHandler(pressed))
    app.add_handler(MessageHandler(filters.TEXT | filters.VOICE, echo))
    return app


@asynccontextmanager
async def polling(telegram: TelegramServer) -> AsyncIterator[Application]:
    app = application(telegram)
    async with app:
        await app.start()
        await app.updater.start_polling(timeout=20)
        yield app
        await app.updater.stop()
        await app.stop()


async def test_an_echo_bot_answers_text_with_text(telegram, ann):
    async with polling(telegram):
        said = await ann.says("hello 😀", entities=[{"type": "bold", "offset": 0, "length": 5}])
        answer = await ann.receives()
    assert (answer.text, answer.entities, answer.reply_to) == (said.text, said.entities, said)
    assert telegram.unconfirmed == 0


async def test_an_echo_bot_answers_voice_with_voice(telegram, ann):
    async with polling(telegram):
        await ann.sends_voice(OGG)
        answer = await ann.receives()
    assert (answer.voice, answer.text) == (OGG, "1 s")


async def test_commands_and_buttons_work(telegram, ann):
    async with polling(telegram):
        await ann.says("/start")
        question = await ann.receives()
        press = await ann.presses(question, "Yes")
        await ann.chat.until(lambda: question.text == "You said y")
    assert press.answer["text"] == "Good"


async def test_an_echo_bot_survives_an_outage(telegram, ann):
    telegram.fails("getUpdates", ServerError(), times=2)
    async with polling(telegram):
        await ann.says("still there?")
        assert (await ann.receives()).text == "still there?"


async def test_an_echo_bot_answers_through_a_webhook(telegram, ann):
    app = application(telegram)
    told = asyncio.Queue()

    async def take(request: Request) -> Response:
        await app.process_update(Update.de_json(await request.json(), app.bot))
        told.put_nowait(request.headers["X-Telegram-Bot-Api-Secret-Token"])
        return Response()

    async with Listening(take) as url, app:
        await app.bot.set_webhook(url, secret_token="hush")
        await ann.sends_voice(OGG)
        answer = await ann.receives()
        assert await told.get() == "hush"
        await app.bot.delete_webhook()
    assert answer.voice == OGG


async def test_the_faults_are_what_the_library_takes_them_for(telegram, ann):
    async with application(telegram).bot as bot:
        for fault, meaning in [
            (TooManyRequests(3), RetryAfter),
            (ServerError(), NetworkError),
            (ServerError(500, html=True), NetworkError),
            (LostAnswer(), NetworkError),
        ]:
            telegram.fails("sendMessage", fault)
            with pytest.raises(meaning):
                await bot.send_message(ann.person.user_id, "a")
        telegram.fails("sendMessage", Hang())
        with pytest.raises(TimedOut):
            await bot.send_message(ann.person.user_id, "a", read_timeout=0.05)
        with pytest.raises(BadRequest, match="Chat not found"):
            await bot.send_message(1, "a")
        ann.blocks_bot()
        with pytest.raises(Forbidden):
            await bot.send_message(ann.person.user_id, "a")


async def test_a_wrong_token_is_told_at_the_start(telegram):
    app = application(telegram, "1:wrong")
    with pytest.raises(InvalidToken):
        await app.initialize()
    await app.bot.shutdown()


async def test_a_second_poller_is_a_conflict(telegram):
    async with application(telegram).bot as one, application(telegram).bot as two:
        first = asyncio.create_task(one.get_updates(timeout=20))
        await telegram.called("getUpdates", done=False)
        await two.get_updates(timeout=0)
        with pytest.raises(Conflict):
            await first
