"""`listen`: transcribe a file."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from essence import config
from essence.commands import terminal
from essence.commands.terminal import err

if TYPE_CHECKING:
    from essence.dialogue import Transcript

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "listen", argv, config.SttEngine)


@app.command()
def listen(
    file: Annotated[Path, typer.Argument(help="Any audio file.", exists=True, dir_okay=False)],
    language: Annotated[str, typer.Option(help="Language spoken (ISO 639-1); detected if not given.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print segments, times and confidence as JSON.")] = False,
    words: Annotated[bool, typer.Option("--words", help="With --json: the time of each word, too.")] = False,
) -> None:
    """Transcribe a file; the text grows on standard output as it is heard."""
    transcript = asyncio.run(_listen(file, language or None, words=words, quiet=as_json))
    if as_json:
        print(json.dumps(_as_json(transcript), ensure_ascii=False, indent=2))
    elif not transcript.speech:
        err.print("No speech in this file.")


async def _listen(file: Path, language: str | None, *, words: bool, quiet: bool) -> Transcript:
    # Here rather than above: `listen --help` needs none of it.
    from essence.audio import DecodeLimits, decode_stream, probe
    from essence.dialogue import Transcript
    from essence.engines import open_transcriber

    probe(file)  # what is no audio is told before anything is loaded
    settings = config.read(config.SttEngine)
    limits = DecodeLimits(max_duration_s=settings.stt_max_audio_s)
    transcript = Transcript(text="", speech=False)
    async with (
        open_transcriber(settings.stt_url, settings) as transcriber,
        aclosing(decode_stream(file, limits=limits)) as sound,
        aclosing(transcriber.transcribe(sound, language=language, word_times=words)) as transcripts,
    ):
        shown = ""
        try:
            async for transcript in transcripts:
                if not quiet and transcript.text.startswith(shown):
                    print(transcript.text[len(shown) :], end="", flush=True)
                    shown = transcript.text
        finally:  # an error starts on a line of its own
            if shown:
                print()
    return transcript


def _as_json(transcript: Transcript) -> dict[str, object]:
    return {**dataclasses.asdict(transcript), "confidence": round(transcript.confidence, 4)}
