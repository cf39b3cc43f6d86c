"""Rows whose columns hold columns, or go by another name in one split: brought to one form, so that columns are found by their names.

    {"answerKey": "A", "question": {"stem": "...", "choices": [{"label": "A", "text": "..."}, ...]}}      CommonsenseQA's own files
    {"docstring_tokens": [...], "function_tokens": [...]}                                                 AdvTest, where train says code_tokens
"""

from __future__ import annotations

from collections.abc import Mapping

from adapter_stilts.data.tables import Row
from adapter_stilts.errors import TaskDataError


def flat(row: Row) -> Row:
    """The row with the stem and choices of its question as columns, where it has such; any other row as it is."""
    if "function_tokens" in row.cells and "code_tokens" not in row.cells:
        return Row(row.where, {**row.cells, "code_tokens": row.cells["function_tokens"]})
    question = row.cells.get("question")
    if not isinstance(question, Mapping) or "stem" not in question:
        return row
    return Row(row.where, {**row.cells, "question": question["stem"], "choices": _choices(question.get("choices"), row.where)})


def _choices(choices: object, where: str) -> dict[str, list[object]]:
    """[{"label": "A", "text": "x"}, ...] as {"label": ["A", ...], "text": ["x", ...]}, which is how the hub writes them."""
    if not isinstance(choices, list) or not all(isinstance(choice, Mapping) and {"label", "text"} <= set(choice) for choice in choices):
        raise TaskDataError(f"choices need a label and a text each: {str(choices)[:60]}", where=where, do="write them as CommonsenseQA does")
    return {key: [choice[key] for choice in choices] for key in ("label", "text")}
