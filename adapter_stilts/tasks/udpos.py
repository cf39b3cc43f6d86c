"""Part-of-speech tagging on Universal Dependencies, as in XTREME.

XTREME fuses the words of a multi-word token. A treebank's own files are read so under its protocols, and by their syntactic words
otherwise; `task.multiword` says fuse or split for either. XTREME's prepared files (test-de.tsv) are read as they are.
"""

from __future__ import annotations

from adapter_stilts.formats.tags import UPOS
from adapter_stilts.tasks.base import SCRIPT, Hub, Task, register
from adapter_stilts.tasks.leaks import Leak

NAMES = {
    "af": "Afrikans",
    "ar": "Arabic",
    "bg": "Bulgarian",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "kk": "Kazakh",
    "ko": "Korean",
    "mr": "Marathi",
    "nl": "Dutch",
    "pt": "Portuguese",
    "ru": "Russian",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "yo": "Yoruba",
    "zh": "Chinese",
}  # google/xtreme's own spelling, "Afrikans" included

# The languages that XTREME-R adds, each with all its treebanks of UD 2.7 that have sentences.
ADDED = {
    "lt": "lt_alksnis+lt_hse",
    "pl": "pl_lfg+pl_pdb+pl_pud",
    "uk": "uk_iu",
    "wo": "wo_wtf",
    "ro": "ro_nonstandard+ro_rrt+ro_simonero",
}

register(
    Task(
        "udpos",
        "tags",
        "chunk_f1",
        "part-of-speech tags (UPOS) in 33 languages",
        languages=tuple(NAMES),
        extra_languages=tuple(ADDED),
        labels=UPOS,
        files={
            "train": ("{l}_*-ud-train.conllu", "udpos/train-{l}.tsv"),
            "validation": ("{l}_*-ud-dev.conllu", "udpos/dev-{l}.tsv"),
            "test": ("{l}_*-ud-test.conllu", "udpos/test-{l}.tsv"),
        },
        concatenate=True,
        hub=Hub(
            "google/xtreme",
            "udpos.{l}",
            codes=NAMES,
            note="rows of google/xtreme on the hub: their multi-word tokens are not those of XTREME's own files",
        ),
        more_hubs=(
            Hub(
                "universal-dependencies/universal_dependencies",
                "{l}",
                codes=ADDED,
                columns={"words": "tokens", "tags": "upos"},
                languages=tuple(ADDED),
                certainty=SCRIPT,
                note="rows of Universal Dependencies on the hub, in its version; XTREME-R reads UD 2.7 with multi-word tokens fused",
            ),
        ),
        sizes={"train": "21,253 [S]", "validation": "3,974 [S]", "test": "47 to 20,436 by language [S]"},
        miniature="pos",
        licence="by treebank; mostly CC BY-SA",
        paper="https://universaldependencies.org",
        leaks=(
            Leak("ud-xpos", "same-text", "its sentences are the training set's, under other tags"),
            Leak("ud-deprel", "same-text", "its sentences are the training set's, under other tags"),
        ),
    )
)
