"""What a task is under a protocol: which languages count, and how a treebank's multi-word tokens are read.

under(tasks["udpos"], "xtreme").multiword        "fuse"
under(tasks["tatoeba"], "xtreme-r").languages    41 of them
"""

from __future__ import annotations

from dataclasses import replace

from adapter_stilts.tasks.base import Task

FUSING = ("xtreme", "xtreme-r", "jiant")  # all read the files that XTREME's scripts prepare
WITHOUT_EXTRAS = ("xtreme", "jiant")


def under(task: Task, protocol: str) -> Task:
    """The task as the protocol has it; what the user chose stays. "own" reads syntactic words, and has every language
    there is."""
    multiword = task.source.multiword or ("fuse" if protocol in FUSING else "split")
    extra = () if protocol in WITHOUT_EXTRAS else task.extra_languages
    languages = (*task.languages, *(code for code in extra if code not in task.languages))
    return replace(task.reading(multiword=multiword), languages=languages, extra_languages=())
