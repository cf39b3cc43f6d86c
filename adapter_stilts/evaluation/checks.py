"""What makes a score of two files meaningless: placeholders for gold, and predictions for something else."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from adapter_stilts.errors import TaskDataError, few
from adapter_stilts.metrics.tags import Tags

# in the place of labels that are withheld, or that nobody agreed on
NEVER_LABELS = frozenset({"", "?", "_", "-", "-1", "-100"})
# a label of a task by themselves, a placeholder where there is no other
NO_LABELS = NEVER_LABELS | {"none", "null", "nan", "n/a", "unknown", "hidden"}
FEWEST = 12  # examples from which on gold of one label, or predictions that share no label with it, cannot be meant


def filled(labels: Sequence[str], path: Path) -> None:
    _refuse(not labels, "the file is empty", path, "give one label a line")
    line = labels.index("") + 1 if "" in labels else 0
    _refuse(line, "an empty line where a label was expected", f"{path}, line {line}", "write one label a line")


def same_number(gold: int, predicted: int, gold_path: Path, path: Path) -> None:
    what = f"{predicted} predictions for {gold} examples"
    _refuse(gold != predicted, what, path, f"predict every example of {gold_path} once, in its order")


def same_order(gold: Sequence[str], predicted: Sequence[str], gold_path: Path, path: Path) -> None:
    """Refuse rows whose own ids say that they belong to other examples; files without ids cannot be checked."""
    for number, (right, said) in enumerate(zip(gold, predicted, strict=False), start=1):
        if right != said:
            what = f"row {number} is of example '{said}', where {gold_path} has '{right}'"
            raise TaskDataError(what, where=str(path), do="predict every example once, in the order of the gold file")


def no_placeholders(gold: Sequence[str], path: Path, *, constant: bool = True) -> None:
    """Refuse labels that stand for withheld ones.

    constant   whether gold of a single label is one, too: released test files without labels often repeat one, and
               scoring against it gives about 0.33 and looks like a result
    """
    withheld = gold and all(label.casefold() in NO_LABELS for label in gold)
    if withheld or (constant and len(gold) >= FEWEST and len(set(gold)) == 1):
        what = f"all {len(gold)} gold labels are '{gold[0]}': these are placeholders"
        raise TaskDataError(what, where=str(path), do="fetch the file that has the labels")
    line = next((number for number, label in enumerate(gold, start=1) if label in NEVER_LABELS), 0)
    if line and constant:
        what = f"gold label '{gold[line - 1]}' stands for no label"
        do = "leave the row out on both sides, or fetch the file that has the labels"
        raise TaskDataError(what, where=f"{path}, line {line}", do=do)


def no_withheld_answers(gold: Mapping[str, Sequence[str]], path: Path) -> None:
    """Refuse questions whose answers are all empty texts, which is how XTREME withholds them."""
    withheld = gold and all(answers and not any(text.strip() for text in answers) for answers in gold.values())
    what = f"all {len(gold)} gold answers are empty: they are withheld"
    _refuse(withheld, what, path, "fetch the file that has the answers")


def same_names(gold: Sequence[str], predicted: Sequence[str], gold_path: Path, path: Path) -> None:
    """Refuse predictions none of which is a label at all: 0, 1, 2 for contradiction, entailment, neutral."""
    what = f"no prediction is a label of the gold file: {_some(set(predicted))} against {_some(set(gold))}"
    strange = len(gold) >= FEWEST and not set(gold) & set(predicted)
    _refuse(strange, what, path, f"name the labels as {gold_path} does")


def same_case(gold: Collection[str], predicted: Collection[str], gold_path: Path, path: Path) -> None:
    """Refuse labels that are gold's but for their case, and would all count as mistakes: per for PER."""
    gold, alike = set(gold), {label.casefold() for label in gold}
    odd = [label for label in set(predicted) - gold if label.casefold() in alike]
    what = f"labels that differ from the gold file's in case alone: {_some(odd)} against {_some(gold)}"
    _refuse(odd, what, path, f"spell them as {gold_path} does")


def one_language(there: Sequence[str], asked: str, path: Path, others: Sequence[str] = ()) -> None:
    """Refuse rows of several languages where none is asked for, and a language of which there is no row.

    there   the languages of the rows; where one is asked for, those that it means
    others  all languages of the file, where some are asked for
    """
    what = f"the file holds {len(there)} languages: {', '.join(there)}"
    _refuse(len(there) > 1 and not asked, what, path, "name one, --language CODE, or give each a file of its own")
    what = f"no row of the file is in '{asked}'; it has: {', '.join(others)}"
    _refuse(asked and not there, what, path, "name a language that the file has")


def line_numbers(labels: Sequence[str], path: Path) -> None:
    for number, label in enumerate(labels, start=1):
        if not label.isdecimal():
            do = "write the number, from 0, of the sentence that was found"
            raise TaskDataError(f"'{label}' is no line number", where=f"{path}, line {number}", do=do)


def same_words(gold: Sequence[Tags], predicted: Sequence[Tags], gold_path: Path, path: Path) -> None:
    for number, (words, said) in enumerate(zip(gold, predicted, strict=False), start=1):
        for word, other in zip(words, said, strict=False):
            if word != other:
                what = f"the word '{other}' where {gold_path} has '{word}'"
                do = "predict the sentences of the gold file, in its order"
                raise TaskDataError(what, where=f"{path}, sentence {number}", do=do)


def known_ids(gold: Collection[str], predicted: Collection[str], gold_path: Path, path: Path) -> None:
    """Refuse predictions for questions that the gold file does not have; a question without one scores 0."""
    strange = [question for question in predicted if question not in gold]
    what = f"{len(strange)} of {len(predicted)} predicted ids are not in the gold file: {_some(strange)}"
    _refuse(strange, what, path, f"predict the questions of {gold_path}: their ids, language and split")


def every_odds(odds: Collection[str], predicted: Collection[str], path: Path) -> None:
    """Refuse odds of "no answer" that leave out answered questions, which would pass for certain ones."""
    lacking = [question for question in predicted if question not in odds]
    what = f'{len(lacking)} of {len(predicted)} predictions have no odds of "no answer": {_some(lacking)}'
    _refuse(odds and lacking, what, path, "give the odds of every predicted question, or none")


def same_pools(
    gold: Collection[tuple[str, str]], mined: Collection[tuple[str, str]], gold_path: Path, path: Path
) -> None:
    """Refuse mined pairs of which no id is in the gold pairs on its side."""
    sides = [({pair[side] for pair in gold}, {pair[side] for pair in mined}) for side in (0, 1)]
    swapped = sides[0][0] & sides[1][1] or sides[1][0] & sides[0][1]
    strangers = f"no id is one of the gold pairs: {_some(sides[0][1])} against {_some(sides[0][0])}"
    apart = gold and mined and not any(right & guessed for right, guessed in sides)
    _refuse(
        apart and (swapped or len(mined) >= FEWEST),
        "the columns are swapped" if swapped else strangers,
        path,
        f"write foreign id TAB English id, with the ids of {gold_path}",
    )


def _refuse(wrong: object, what: str, where: object, do: str) -> None:
    if wrong:
        raise TaskDataError(what, where=str(where), do=do)


def _some(names: Collection[str]) -> str:
    return few([f"'{name}'" for name in sorted(names)])
