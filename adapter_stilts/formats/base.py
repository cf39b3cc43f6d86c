"""Format: what is asked about the examples of a task, and the registry of formats; each is one file beside this one.

    formats["pair"].metrics          ("accuracy", "accuracy_f1")
    task.format.ranking                   whether its queries are searched among candidates
"""

from __future__ import annotations

from adapter_stilts.registry import Registry


class Format:
    """A kind of example. One instance of each is registered under its name.

    metrics       those that fit, the usual one first
    max_length    tokens of an input, where a task does not say
    retrieval     it trains nothing: sentence vectors are compared
    pools         two sets of sentences hide pairs (mining); otherwise line i of both sides belong together
    ranking       queries are searched among the candidates of all languages
    masked        text whose masked tokens are predicted
    label_field   the field that holds the classes of a head; "" where there are none
    one_language  its scores are those of a language, so a file that mixes two is refused
    cut           a long row becomes several inputs
    """

    name: str
    metrics: tuple[str, ...]
    max_length: int = 128
    retrieval: bool = False
    pools: bool = False
    ranking: bool = False
    masked: bool = False
    label_field: str = ""
    one_language: bool = False
    cut: bool = False


formats: Registry[Format] = Registry("format", package="adapter_stilts.formats")


def register(format: type[Format]) -> type[Format]:
    """Put a format under its name."""
    formats.add(format.name, format())
    return format
