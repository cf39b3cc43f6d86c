"""Labels that only look like labels: what benchmarks put in the place of gold labels they keep to themselves.

XTREME's scripts write empty answers into the test files they prepare, the hub writes -1 where a split's labels are secret, and some
readers fill in one class for every row. A score against any of these is a number without a meaning (one class of three scores 0.33),
so it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapter_stilts.data.examples import Classified, Example, MultipleChoice, SpanQuestion, Tagged
from adapter_stilts.errors import TaskDataError

FEW = 100  # rows of one class that may be chance or choice
DO = "take the files of the original release, which hold the labels, or a split whose labels are public"


def withheld(examples: Sequence[Example]) -> bool:
    """Whether no example has a label, as in the test files that XTREME prepares: they can be predicted and not scored."""
    return bool(examples) and all(map(_withheld, examples))


def _withheld(example: Example) -> bool:
    match example:
        case Classified(label=label):
            return not label
        case MultipleChoice(label=number):
            return number < 0
        case Tagged(tags=tags, words=words):
            return bool(words) and not tags
        case SpanQuestion(answers=answers):
            return bool(answers) and not any(answer.text for answer in answers)
        case _:
            return False


def refuse_placeholders(examples: Sequence[Example], labels: Sequence[str] | None, where: str) -> None:
    """Raise TaskDataError where the gold labels of a split to score on are placeholders.

    labels  the classes, where the task declares them: FEW rows or more that all carry the same one of several are placeholders
    """
    answers = [answer.text for example in examples if isinstance(example, SpanQuestion) for answer in example.answers]
    if answers and not any(answers):
        raise _refused("every answer is the empty text at character 0", where)
    if any(isinstance(example, MultipleChoice) for example in examples):
        if all(isinstance(example, MultipleChoice) and example.label < 0 for example in examples):
            raise _refused("every row is labelled -1", where)
        return
    classes = {example.label for example in examples if isinstance(example, Classified)}
    if labels and len(labels) > 1 and len(examples) >= FEW and len(classes) == 1 and classes != {""}:
        raise _refused(f"all {len(examples):,} rows are labelled '{classes.pop()}'", where)


def _refused(what: str, where: str) -> TaskDataError:
    return TaskDataError(f"{what}: these are placeholders, not labels", where=where, do=DO)
