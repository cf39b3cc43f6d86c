"""Part-of-speech tagging on Universal Dependencies, as in XTREME.

XTREME fuses the words of a multi-word token; a treebank's own files are read here by their syntactic words. Its prepared files
(test-de.tsv) are read as they are.
"""

from __future__ import annotations

from adapter_stilts.tasks.base import UPOS, Hub, Task, register

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

register(
    Task(
        "udpos",
        "tags",
        "chunk_f1",
        "part-of-speech tags (UPOS) in 33 languages",
        languages=tuple(NAMES),
        labels=UPOS,
        files={
            "train": ("{l}_*-ud-train.conllu", "udpos/train-{l}.tsv"),
            "validation": ("{l}_*-ud-dev.conllu", "udpos/dev-{l}.tsv"),
            "test": ("{l}_*-ud-test.conllu", "udpos/test-{l}.tsv"),
        },
        concatenate=True,
        hub=Hub("google/xtreme", "udpos.{l}", codes=NAMES),
        miniature="pos",
        licence="by treebank; mostly CC BY-SA",
        paper="https://universaldependencies.org",
        substitutions=("CoNLL-U is read by syntactic words; XTREME fuses multi-word tokens",),
    )
)
