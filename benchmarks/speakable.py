"""How long it takes to find out what to say: `python -m benchmarks.speakable`.

The peer is a stripper of five regular expressions, as most voice bots have one: it knows no Markdown and leaves
numbers, units and dates to the voice. It is the floor, not a rival: what June does more costs the difference.
"""

import re
import statistics
import time
from collections.abc import Callable

from essence.chat.sentences import SentenceSplitter
from essence.chat.speakable import speakable

PROSE = "It is a plain sentence without anything of note in it, as most of them are. "
RICH = "The **quick** fox costs $3.50, runs 5 km/h on 2026-11-22 and `jumps` over [the dog](https://x.example/z). "
ANSWER = ("# Title\n\n" + (PROSE * 3 + RICH + "\n\n") * 20 + "```python\nprint(1)\n```\n")[:4000]
ROUNDS = 30


def stripped(text: str) -> str:
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"https?://\S+", "link", text)
    text = re.sub(r"[*_`#>|]", "", text)
    return re.sub(r"\s+", " ", text).strip()


def median_us(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e6)
    return statistics.median(times)


def split(text: str) -> list[str]:
    splitter = SentenceSplitter()
    return splitter.feed(text) + splitter.flush()


def main() -> None:
    began = time.perf_counter()
    speakable("In 2026")
    print(f"first call (tables of one language): {(time.perf_counter() - began) * 1e3:.0f} ms\n")
    print(f"{'':34}{'June':>12}{'five regexes':>14}")
    for name, text in (("a plain sentence", PROSE), ("a sentence full of tokens", RICH), ("4,000 characters", ANSWER)):
        june, peer = median_us(lambda text=text: speakable(text)), median_us(lambda text=text: stripped(text))
        print(f"{name:34}{june:9.0f} µs{peer:11.0f} µs")
    print(f"{'sentences of 4,000 characters':34}{median_us(lambda: split(ANSWER)):9.0f} µs{'-':>14}")


if __name__ == "__main__":
    main()
