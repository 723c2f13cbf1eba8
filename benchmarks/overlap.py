"""First sound and end of a spoken answer of four sentences: stages overlapped, against the same engines in sequence."""

from __future__ import annotations

import asyncio
import statistics
from contextlib import aclosing

from benchmarks._table import show
from essence import config
from essence.audio import encode_voice
from essence.chat.events import AudioPart, Done
from essence.chat.pipeline import Pipeline
from essence.chat.speakable import speakable
from essence.dialogue import TextDelta, Turn
from essence.engines import Players, open_players

ROUNDS = 4
QUESTION = "Tell me about the city of Paris in exactly four sentences, please."


async def overlapped(players: Players, history: tuple[Turn, ...]) -> tuple[float, float, str]:
    """Return seconds to the first sound that a listener has, seconds in all, and the answer."""
    pipeline = Pipeline(players.transcriber, players.model, players.synthesizer)
    loop = asyncio.get_running_loop()
    start, first_s, answer = loop.time(), 0.0, ""
    async with aclosing(pipeline.answer_text(QUESTION, history, language="en")) as events:
        async for event in events:
            if isinstance(event, AudioPart) and event.index == 0:
                first_s = loop.time() - start
            if isinstance(event, Done):
                answer = event.answer
    return first_s, loop.time() - start, answer


async def in_sequence(players: Players, history: tuple[Turn, ...]) -> tuple[float, float, str]:
    """The same, when the whole answer is written, then spoken, then encoded."""
    loop = asyncio.get_running_loop()
    start, answer = loop.time(), ""
    async with aclosing(players.model.reply((*history, Turn("user", QUESTION)))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                answer += event.text
    async with aclosing(players.synthesizer.synthesize(speakable(answer), language="en")) as speech:
        sounds = [pcm async for pcm in speech]
    encode_voice(sounds)
    took_s = loop.time() - start
    return took_s, took_s, answer


async def measure() -> None:
    """Take turns, so that both see the same machine, and print the medians."""
    settings = config.read(config.Assistant).model_copy(update={"llm_temperature": 0.0})
    history = (Turn("system", settings.june_system_prompt),)
    async with open_players(settings) as players:
        for warm in (overlapped, in_sequence):
            await warm(players, history)
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(await overlapped(players, history))
            theirs.append(await in_sequence(players, history))
    rows = []
    for name, index, aim in (("first sound", 0, "≤ 0.5×"), ("whole answer", 1, "≤ 1.0×")):
        june = statistics.median(float(run[index]) for run in ours)
        sequence = statistics.median(float(run[index]) for run in theirs)
        rows.append((name, f"{june:.2f} s", f"{sequence:.2f} s", f"{june / sequence:.2f}×", aim))
    show(f"Overlapped answer, median of {ROUNDS}", ("what", "overlapped", "in sequence", "ratio", "aim"), rows)
    print(f"The answer ({len(ours[0][2])} characters): {ours[0][2]}")


def main() -> None:
    """Print the figures."""
    asyncio.run(measure())


if __name__ == "__main__":
    main()
