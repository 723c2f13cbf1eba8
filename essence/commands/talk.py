"""`talk`: one voice note (or a typed question) through the whole pipeline, on the terminal."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from essence import config
from essence.commands import terminal
from essence.commands.terminal import out

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def main(argv: list[str]) -> int:
    """Run the command; see `--help`."""
    return terminal.run(app, "talk", argv, config.Assistant)


@app.command()
def talk(
    note: Annotated[
        Path | None, typer.Argument(help="Voice note: any audio file.", exists=True, dir_okay=False)
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the spoken answer goes (Ogg/Opus).")] = Path(
        "answer.ogg"
    ),
    text: Annotated[str, typer.Option("--text", "-t", help="Ask in writing instead of by a note.")] = "",
    language: Annotated[str, typer.Option(help="Language of the note (ISO 639-1); detected if not given.")] = "",
    voice: Annotated[str, typer.Option(help="Voice of the answer, by name.")] = "",
) -> None:
    """Answer a voice note: transcribe it, think, speak."""
    if (note is None) == (not text):
        raise typer.BadParameter("give a voice note, or a question with --text")
    if note is not None and output.resolve() == note.resolve():
        raise typer.BadParameter("the answer would overwrite the note; name another file with --output")
    terminal.check_output(output)
    asyncio.run(_talk(note, terminal.typed(text), output, language or None, voice or None))


async def _talk(note: Path | None, text: str, output: Path, language: str | None, voice: str | None) -> None:
    # Here rather than above: `talk --help` needs none of it.
    from essence.audio import probe
    from essence.chat.pipeline import Pipeline
    from essence.chat.playout import WHOLE
    from essence.commands.screen import Screen
    from essence.dialogue import Turn
    from essence.engines import open_players

    if note is not None:
        probe(note)  # what is no audio is told before anything is loaded
    settings = config.read(config.Assistant)
    loading = out.status("Loading engines …")
    loading.start()
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with open_players(settings) as players:
        loading.stop()
        out.print(
            f"[dim]Engines ready after {loop.time() - start:.1f} s: {escape(_engines(settings))}[/dim]", soft_wrap=True
        )
        pipeline = Pipeline(players.transcriber, players.model, players.synthesizer, playout=WHOLE)
        system = (Turn("system", settings.june_system_prompt),)
        if note is not None:
            events = pipeline.answer_note(note, system, language=language, voice=voice)
        else:
            events = pipeline.answer_text(text, system, language=language, voice=voice)
        with Screen(output) as screen:
            async with aclosing(events):
                async for event in events:
                    screen.show(event)


def _engines(settings: config.Assistant) -> str:
    return f"STT {settings.stt_url}, LLM {settings.llm_url}, TTS {settings.tts_url}"
