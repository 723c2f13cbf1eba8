"""`say`: speak a text into a file."""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from essence import config
from essence.commands import terminal
from essence.commands.terminal import err, out
from essence.errors import InvalidInput

if TYPE_CHECKING:
    from essence.audio import Pcm

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "say", argv, config.TtsEngine)


@app.command()
def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads standard input. Markdown is spoken as prose.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Ogg/Opus, or WAV where it ends with .wav.")] = Path(
        "speech.ogg"
    ),
    language: Annotated[str, typer.Option(help="Language of the text (ISO 639-1).")] = "en",
    voice: Annotated[str, typer.Option(help="Voice, by name; the engine's own for the language if not given.")] = "",
) -> None:
    """Speak a text into a file."""
    from essence.audio import encode_voice, encode_wav  # not needed for --help

    terminal.check_output(output)
    text = _standard_input() if text == "-" else terminal.typed(text)
    sounds = asyncio.run(_say(text, language, voice or None))
    if not sounds:
        raise InvalidInput("There is nothing to say in this text. Give it a word or two.")
    output.write_bytes(encode_wav(sounds) if output.suffix == ".wav" else encode_voice(sounds).data)
    out.print(
        f"{sum(pcm.duration_s for pcm in sounds):.1f} s of speech: [bold]{escape(str(output))}[/bold]", soft_wrap=True
    )


def _standard_input() -> str:
    if sys.stdin is None:  # closed by whoever started this
        raise InvalidInput("Standard input is closed. Give the text as an argument, or pipe it in.")
    return sys.stdin.buffer.read().decode("utf-8", "replace")


async def _say(text: str, language: str, voice: str | None) -> list[Pcm]:
    # Here rather than above: `say --help` needs none of it.
    from essence.chat.sentences import SentenceSplitter
    from essence.chat.speakable import speakable
    from essence.engines import open_synthesizer

    settings = config.read(config.TtsEngine)
    splitter = SentenceSplitter(language=language)
    pieces = [*splitter.feed(text), *splitter.flush()]
    sounds: list[Pcm] = []
    async with open_synthesizer(settings.tts_url, settings) as synthesizer:
        with err.status("Speaking …"):
            for piece in pieces:
                if words := speakable(piece, language):
                    async with aclosing(synthesizer.synthesize(words, voice=voice, language=language)) as speech:
                        sounds += [pcm async for pcm in speech]
    return sounds
