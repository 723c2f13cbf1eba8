"""How `talk` shows an answer while it is made."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from rich.markup import escape
from rich.table import Table

from essence.chat.events import AudioPart, Done, Event, Heard, VoiceFailed
from essence.chat.timings import Timings
from essence.commands.terminal import out
from essence.dialogue import TextDelta


class Screen:
    """Shows an answer as it comes, and writes its sound to a file; leaving it ends a line that was cut off."""

    def __init__(self, output: Path) -> None:
        self._output, self._spoken = output, False
        self._in_line = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._in_line:
            out.print()

    def show(self, event: Event) -> None:
        match event:
            case Heard(transcript) if transcript.speech:
                out.print("[bold]You:[/bold] ", end="")
                out.print(transcript.text, markup=False, highlight=False)
                out.print(
                    f"[dim]({transcript.language}, {transcript.language_probability:.0%} sure; "
                    f"words {transcript.confidence:.0%}; {transcript.duration_s:.1f} s of sound)[/dim]"
                )
                out.print("[bold]June:[/bold] ", end="")
                self._in_line = True
            case Heard():
                out.print("I heard no speech in this note.")
            case TextDelta(text):
                out.print(text, end="", markup=False, highlight=False, soft_wrap=True)
                self._in_line = True
            case VoiceFailed(error):
                out.print(f"\n[yellow]No spoken answer:[/yellow] {escape(str(error))}", soft_wrap=True)
            case AudioPart(note=note):
                self._output.write_bytes(note.data)
                self._spoken = True
            case Done(cut=cut, timings=timings):
                self._in_line = False
                out.print("" if not cut else "\n[yellow](The answer was cut at LLM_MAX_TOKENS.)[/yellow]")
                out.print(timings_table(timings))
                if self._spoken:
                    out.print(f"Spoken answer: [bold]{escape(str(self._output))}[/bold]", soft_wrap=True)


def timings_table(timings: Timings) -> Table:
    """Two readings of one answer: the steps that add up to the total, and how long each stage was at work."""
    table = Table(title="Where the time went", title_justify="left")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column("stage at work")
    table.add_column("seconds", justify="right")
    steps = [*timings.milestones()]
    busy = timings.busy()
    for index in range(max(len(steps), len(busy))):
        left = (steps[index].name, f"{steps[index].seconds:.2f}") if index < len(steps) else ("", "")
        right = (f"{busy[index].name}", f"{busy[index].seconds:.2f}") if index < len(busy) else ("", "")
        table.add_row(*left, *right)
    table.add_section()
    table.add_row("total", f"{timings.total_s:.2f}", f"slowest: {timings.slowest().name}", "")
    return table
