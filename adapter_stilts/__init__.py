"""Intermediate-task training with adapters over a frozen XLM-R, scored zero-shot across languages.

    import adapter_stilts as stilts

    run = stilts.train("nli", trunk="xlm-roberta-base", data="data")
    stilts.evaluate(run, "xnli", languages="de,sw")

The names below come from `door/` when they are first used, so that importing the package waits for nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapter_stilts.door.conversion import convert, mteb_model
    from adapter_stilts.door.run import Run
    from adapter_stilts.door.share import pull, push
    from adapter_stilts.door.vectors import Pair, encode, mine, search
    from adapter_stilts.door.verbs import (
        compare,
        evaluate,
        fuse,
        load,
        merge,
        plan,
        predict,
        recommend,
        replay,
        report,
        study,
        train,
    )
    from adapter_stilts.errors import StiltsError
    from adapter_stilts.statistics.result import Result

__version__ = "0.1.0"

DOOR = {
    "Run": "adapter_stilts.door.run",
    **dict.fromkeys(("convert", "mteb_model"), "adapter_stilts.door.conversion"),
    **dict.fromkeys(
        ("compare", "evaluate", "fuse", "load", "merge", "plan", "predict", "recommend", "replay", "report")
        + ("study", "train"),
        "adapter_stilts.door.verbs",
    ),
    **dict.fromkeys(("Pair", "encode", "mine", "search"), "adapter_stilts.door.vectors"),
    **dict.fromkeys(("pull", "push"), "adapter_stilts.door.share"),
    "Result": "adapter_stilts.statistics.result",
    "StiltsError": "adapter_stilts.errors",
}


def __getattr__(name: str) -> Any:
    if name not in DOOR:
        raise AttributeError(f"module 'adapter_stilts' has no attribute '{name}'")
    value = getattr(import_module(DOOR[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *DOOR])
