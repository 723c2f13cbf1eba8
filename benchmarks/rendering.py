"""What it costs to render an answer: `python -m benchmarks.rendering`.

Every throttled edit of a growing answer renders it again, so that a few milliseconds are the limit. The peer is the
splitter that most bots have: cut at the last line break before the limit, Markdown left as it is. It is the floor, not
a rival: it cuts fences and markup in two, which the platforms then refuse or show. Hostile inputs are 100 KB long; the
limit for them is a second.
"""

import statistics
import time
from collections.abc import Callable

from benchmarks._table import show
from essence.chat.rendering.discord import discord_parts
from essence.chat.rendering.telegram import plain_parts, telegram_parts

PARAGRAPH = (
    "The **quick** fox *jumps* over `the_dog` near [the barn](https://example.com/barn), as most of them do. " * 3
)
LIST = "".join(f"{i}. point {i} with **weight**\n   - and a detail\n" for i in range(1, 5))
TABLE = "| Name | Age |\n|---|--:|\n" + "".join(f"| person {i} | {i} |\n" for i in range(8))
CODE = "```python\n" + "".join(f"value_{i} = compute({i})\n" for i in range(10)) + "```\n"
ANSWER = ("\n\n".join(["# Title", PARAGRAPH, LIST, PARAGRAPH, TABLE, CODE]) + "\n\n").join(["", "", "", "", ""])[:4_000]
HOSTILE = ("[", "*a**a", "`a``", "> ", "- ", "||a", "| a ", "[a](", "$a", "a", "👍🏽", "- a\n")
HOSTILE_CHARS = 100_000
ROUNDS = 30


def plain_split(text: str, limit: int = 4_096) -> list[str]:
    parts = []
    while len(text) > limit:
        end = text.rfind("\n", 1, limit) + 1 or limit
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text]


def median_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    work()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def once_s(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def whole_stream_ms(render: Callable[[str], object]) -> float:
    """An answer of 4,000 characters, rendered again every 200."""
    return median_ms(lambda: [render(ANSWER[:end]) for end in range(200, len(ANSWER) + 1, 200)], rounds=5)


def main() -> None:
    telegram_parts("warm **up**")
    floor = median_ms(lambda: plain_split(ANSWER))
    rows = [
        ("Telegram, 4,000 characters", median_ms(lambda: telegram_parts(ANSWER)), 10.0, floor),
        ("Discord, 4,000 characters", median_ms(lambda: discord_parts(ANSWER)), 10.0, floor),
        ("plain text, 4,000 characters", median_ms(lambda: plain_parts(ANSWER)), 10.0, floor),
        (
            "Telegram, growing to 4,000 in 20 edits",
            whole_stream_ms(lambda text: telegram_parts(text, unfinished=True)),
            200.0,
            whole_stream_ms(plain_split),
        ),
    ]
    for unit in HOSTILE:
        text = unit * (HOSTILE_CHARS // len(unit))
        june = max(once_s(lambda text=text: telegram_parts(text)), once_s(lambda text=text: discord_parts(text)))
        rows.append(
            (
                f"100 KB of {unit!r}, the slower of both",
                june * 1e3,
                1_000.0,
                median_ms(lambda text=text: plain_split(text), 3),
            )
        )
    show(
        "Rendering an answer",
        ("what", "June [ms]", "limit [ms]", "plain split [ms]"),
        [(what, f"{june:.1f}", f"{limit:.0f}", f"{peer:.3f}") for what, june, limit, peer in rows],
    )


if __name__ == "__main__":
    main()
