"""Whoever sends a long note sees how far June is."""

from collections.abc import AsyncIterator

from essence.audio import Pcm, encode_voice
from essence.dialogue import Segment, Transcript
from essence.fakes.telegram import TelegramServer
from tests.chat_june import june

LONG_NOTE = encode_voice([Pcm(bytes(48_000 * 2 * 40), 48_000)]).data


class SlowEar:
    """Hears a word in every ten seconds of sound; before each it waits until `shows` of what was heard so far."""

    def __init__(self, shows) -> None:
        self._shows = shows

    async def transcribe(self, speech, *, language=None, word_times=False) -> AsyncIterator[Transcript]:
        async for _ in speech:
            pass
        segments: tuple[Segment, ...] = ()
        for number in range(4):
            await self._shows(f"{25 * number}% heard" if number else "⏳")
            segments = (*segments, Segment("word", 10.0 * number, 10.0 * number + 10.0, -0.1, 0.0, 1.0))
            yield Transcript("word " * len(segments), True, "en", 0.9, 40.0, segments)


async def test_a_long_note_shows_how_much_of_it_was_heard(tmp_path):
    async with TelegramServer() as telegram:
        ann = telegram.user("Ann")
        url = f"sqlite:///{tmp_path}/june.db"

        async def shows(end: str) -> None:
            await ann.chat.until(lambda: any(end in answer.text for answer in ann.chat.answers))

        async with june(telegram, url, ann, transcriber=SlowEar(shows), chat_slow_s=0.3):
            await ann.sends_voice(LONG_NOTE)
            answer = await ann.receives()
            await ann.chat.until(lambda: answer.text == "All is well.")
    shown = [version.text for version in answer.versions]
    assert shown[0].startswith("⏳ Still working on it …")
    assert [text[-9:] for text in shown[1:-1]] == ["25% heard", "50% heard", "75% heard"]
