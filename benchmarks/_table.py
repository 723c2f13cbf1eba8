"""How benchmarks print: one table, each figure beside what it was compared with and the aim."""

from __future__ import annotations

import os
import platform

from rich.console import Console
from rich.table import Table

console = Console(width=140, highlight=False)


def show(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table with the machine that it was measured on."""
    caption = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
