"""`recommend`: which finished run to build a target on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options, progress, render
from .options import names, option

RUNS = "Finished intermediate runs of one trunk."
TARGET = "The task that would be trained on top of one of them."
LANGUAGES = "Read the target's validation rows in these languages in the place of its training rows; with commas."
ROWS = "Rows of the target that are read, of each language."


def recommend(
    sources: Annotated[list[Path], typer.Argument(metavar="RUN", help=RUNS)],
    target: Annotated[str, option("--target", "TASK", TARGET)],
    data: options.DataOption = None,
    languages: Annotated[str | None, option("--languages", "LIST", LANGUAGES)] = None,
    rows: Annotated[int, option("--rows", "N", ROWS, min=50)] = 1000,
    config: options.ConfigOption = None,
    settings: options.SetOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Rank finished runs for a target before it is trained; "none" is an answer.

    The target's rows are read under every run and under the trunk alone. LogME says how well a linear model could tell
    the labels from what is read, in nats a row; a bootstrap over rows says how sure the order is. Test rows are never
    read. docs/training.md says how often it was right.

    \b
    Example:
      adapter-stilts recommend runs/hellaswag runs/paraphrase --target xcopa
    """
    from adapter_stilts.studies.recommend import recommend as ranked

    chosen = options.configuration(config, settings, data=data)
    how: dict[str, Any] = {"languages": names(languages) or (), "rows": rows}
    found = ranked(target, sources, chosen, **how, report=progress.reporter())
    if as_json:
        render.document(found.document())
        return
    columns = ("build on", "learned", "evidence", "over none", "95 % interval", "best in", "rows")
    render.table("", columns, [_row(source) for source in found.sources])
    render.say(f"{found.target}, {found.rows:,} rows: {found.advice}")


def _row(source: Any) -> tuple[str, ...]:
    evidence, best = f"{source.evidence:.4f}", f"{100 * source.best:.0f} %"
    if source.ahead is None:
        return source.name, "", evidence, "", "", best, ""
    ahead, low, high = source.ahead
    return source.name, source.task, evidence, f"{ahead:+.4f}", f"{low:+.4f} to {high:+.4f}", best, f"{source.rows:,}"
