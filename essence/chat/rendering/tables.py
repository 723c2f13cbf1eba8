"""Tables as a phone can show them: aligned in a monospaced block, or as a list where they are too wide for that.

Which of the two, and how wide its columns are, is decided for the rows that share a message, so that a row that comes
later changes nothing in a message before. What a row takes is therefore reckoned as the larger of both forms.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from essence.chat.rendering.document import Cell, Line, Row, Run, Span, Table, utf16_units

# What a phone 360 dp wide shows of monospaced text in a bubble at the platforms' default size, about.
PHONE_COLUMNS = 38
_GAP = "  "


def bound_of_row(row: Row) -> int:
    """Give the most UTF-16 units that a row can take in the aligned form, with its line break and a quote's sign."""
    return PHONE_COLUMNS + 3 + _beyond_columns(row.cells)


def bound_of_header(table: Table) -> int:
    """Give the most UTF-16 units that the header and the line below it can take."""
    return 2 * (PHONE_COLUMNS + 3) + _beyond_columns(table.header)


def _beyond_columns(cells: Sequence[Cell]) -> int:
    """Count what cells take beyond their width on a screen: an emoji is two columns wide and many units long."""
    texts = [_text(cell) for cell in cells]
    return sum(max(0, utf16_units(text) - cell_len(text)) for text in texts)


def lines_of_rows(rows: Sequence[Row]) -> list[Line]:
    """Lay out rows of one table that follow each other in a message."""
    table = rows[0].table
    bodies = [[_text(cell) for cell in row.cells] for row in rows if row.cells]
    grid = [[_text(cell) for cell in table.header], *bodies]
    widths = [max(cell_len(line[i]) for line in grid) for i in range(len(table.header))]
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= PHONE_COLUMNS and not _has_link(rows):
        return _aligned(rows, grid, widths)
    return [line for row in rows for line in listed(row)]


def _has_link(rows: Sequence[Row]) -> bool:
    cells = [cell for row in rows for cell in row.cells]
    return any(span.style == "link" for cell in cells for run in cell for span in run.spans)


def _aligned(rows: Sequence[Row], grid: list[list[str]], widths: list[int]) -> list[Line]:
    table = rows[0].table
    texts = [_padded(line, widths, table.right_aligned) for line in grid]
    texts.insert(1, _GAP.join("─" * width for width in widths))
    first, *others = [Line(table.code, (Run(text),)) for text in texts]
    return [Line(first.block, first.runs, rows[0].before), *others]


def _padded(cells: list[str], widths: list[int], right_aligned: Sequence[bool]) -> str:
    padded = []
    for cell, width, right in zip(cells, widths, right_aligned, strict=True):
        space = " " * (width - cell_len(cell))
        padded.append(space + cell if right else cell + space)
    return _GAP.join(padded).rstrip()


def listed(row: Row) -> list[Line]:
    """Give a row as a list's item: "column: value", a line for each cell; a row without cells as its header."""
    table = row.table
    if not row.cells:
        names = " · ".join(_text(cell) for cell in table.header if _text(cell))
        return [Line(table.plain, (Run(names, (Span("bold"),)),), row.before)] if names else []
    lines: list[Line] = []
    for name, cell in zip(table.header, row.cells, strict=True):
        runs = _named(_text(name), cell)
        if runs and not lines:
            lines.append(Line(table.plain, runs, row.before, marker="•"))
        elif runs:
            lines.append(Line(table.plain, runs, indent=2))
    return lines


def _named(name: str, cell: Cell) -> Cell:
    if not name or not cell:
        return cell
    return (Run(name, (Span("bold"),)), Run(": "), *cell)


def _text(cell: Cell) -> str:
    return "".join(run.text for run in cell)
