"""A report's tables as Markdown, LaTeX and CSV. What is in them is text: nothing ends a cell or a table, is a command
to LaTeX, or runs in a spreadsheet."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adapter_stilts.data.cells import csv_line
from adapter_stilts.errors import one_line
from adapter_stilts.reports.page import NUMBERS, Cell, Column, Part, Table
from adapter_stilts.sharing.metadata import in_markdown

LATEX = {mark: f"\\{mark}" for mark in "&%$#_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
    '"': "\\textquotedbl{}",
    "▲": "$\\blacktriangle$",
    "▼": "$\\blacktriangledown$",
    "≈": "$\\approx$",
}
MARK = re.compile("|".join(map(re.escape, LATEX)))


def markdown(parts: Sequence[Part]) -> str:
    """Every part's answer, and its tables."""
    lines = []
    for part in parts:
        lines += [f"# {part.kind} {_marked(part.name)}", "", " ".join(map(_marked, part.answer)), ""]
        for section in part.sections:
            tables = [block for block in section.blocks if isinstance(block, Table)]
            if tables:
                lines += [f"## {_marked(section.title)}", "", *(f"{_marked(lead)}\n" for lead in section.lead)]
            for table in tables:
                rule = ["---:" if column.kind in NUMBERS else "---" for column in table.columns]
                head = [_marked(column.name_unit) for column in table.columns]
                rows = [[_marked(text) for text in _shown(table.columns, row)] for row in table.rows]
                lines += [f"### {_marked(table.caption)}", ""]
                lines += [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]
                lines += ["", *(f"* {_marked(note)}" for note in table.notes), *([""] if table.notes else [])]
    return "\n".join(lines)


def latex(parts: Sequence[Part]) -> str:
    """The tables, each in its environment; they need the packages booktabs, longtable and textcomp."""
    lines = ["% \\usepackage{booktabs,longtable,textcomp,amssymb} \\usepackage[T1]{fontenc}"]
    for part in parts:
        for table in part.tables:
            sides = "".join("r" if column.kind in NUMBERS else "l" for column in table.columns)
            head = " & ".join(_escaped(column.name_unit) for column in table.columns)
            rows = (" & ".join(map(_escaped, _shown(table.columns, row))) for row in table.rows)
            caption = _escaped(f"{part.name}: {table.caption}")
            lines += ["", f"\\begin{{longtable}}{{{sides}}}", f"\\caption{{{caption}}}\\\\", "\\toprule"]
            lines += [f"{head} \\\\", "\\midrule", "\\endhead", *(f"{row} \\\\" for row in rows)]
            lines += ["\\bottomrule", "\\end{longtable}", *(f"\\noindent {_escaped(note)}\n" for note in table.notes)]
    return "\n".join(lines) + "\n"


def csv(parts: Sequence[Part]) -> dict[str, str]:
    """Each table by its name, rows of all parts under the name of theirs; numbers are not rounded to what is shown."""
    files: dict[str, list[str]] = {}
    for part in parts:
        for table in part.tables:
            head = csv_line(["report", *(column.name_unit for column in table.columns)])
            lines = files.setdefault(table.name, [head])
            lines += [csv_line([part.name, *_exact(table.columns, row)]) for row in table.rows]
    return {name: "".join(lines) for name, lines in files.items()}


def _shown(columns: Sequence[Column], row: Sequence[Cell]) -> list[str]:
    return [one_line(column.shown(cell)) for column, cell in zip(columns, row, strict=True)]


def _exact(columns: Sequence[Column], row: Sequence[Cell]) -> list[Cell]:
    return [column.exact(cell) for column, cell in zip(columns, row, strict=True)]


def _marked(text: str) -> str:
    return str(in_markdown(text))


def _escaped(text: str) -> str:
    return MARK.sub(lambda match: LATEX[match[0]], one_line(text))
