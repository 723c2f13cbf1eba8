"""An engine's process that "speaks" each word of a text as its own bytes; "crash" and "noise" do what they say."""

import os
from collections.abc import Iterator

from essence.engines.tts.desk import Audio, Cancellation
from essence.engines.tts.frames import SpeakRequest
from essence.errors import NotFound


class SpellingSpeaker:
    def speak(self, request: SpeakRequest, cancellation: Cancellation) -> Iterator[Audio]:
        for word in request.text.split():
            self._act(word)
            yield 8000, f"{word} ".encode()

    def _act(self, word: str) -> None:
        if word == "crash":
            os._exit(3)
        if word == "noise":
            print("A library says hello on standard output.", flush=True)
            os.system("echo So does its child.")
        if word == "raise":
            raise ValueError("unheard of")
        if word == "missing":
            raise NotFound("There is no such voice.")


print("Importing prints, too.", flush=True)


def load() -> SpellingSpeaker:
    print("And loading.", flush=True)
    return SpellingSpeaker()
