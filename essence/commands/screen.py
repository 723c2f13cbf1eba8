"""How `talk` shows an answer while it is made."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from essence.chat.events import AudioPart, Done, Event, Heard, VoiceFailed
from essence.chat.timings import Timings
from essence.commands.terminal import out
from essence.dialogue import TextDelta


class Screen:
    """Shows an answer as it comes, and writes its sound to a file."""

    def __init__(self, output: Path) -> None:
        self._output, self._spoken = output, False

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
            case Heard():
                out.print("I heard no speech in this note.")
            case TextDelta(text):
                out.print(text, end="", markup=False, highlight=False, soft_wrap=True)
            case VoiceFailed(error):
                out.print(f"\n[yellow]No spoken answer:[/yellow] {error}")
            case AudioPart(note=note):
                self._output.write_bytes(note.data)
                self._spoken = True
            case Done(cut=cut, timings=timings):
                out.print("" if not cut else "\n[yellow](The answer was cut at LLM_MAX_TOKENS.)[/yellow]")
                out.print(timings_table(timings))
                if self._spoken:
                    out.print(f"Spoken answer: [bold]{self._output}[/bold]", soft_wrap=True)


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
