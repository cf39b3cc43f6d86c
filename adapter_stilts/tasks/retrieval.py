"""Sentences and their translations: Tatoeba, where each has its partner, and BUCC 2018, where pairs hide in two large
sets.

XTREME's own download of Tatoeba (de-en.de, de-en.en) has the English side sorted, so that line i is no longer the
translation of line i; it is not looked for. The files of LASER's release are.
"""

from __future__ import annotations

from adapter_stilts.tasks.base import Task, register
from adapter_stilts.tasks.languages import iso3
from adapter_stilts.tasks.source import PLAIN, Hub, Source, codes

TATOEBA_NAMES = {"fa": "pes", "zh": "cmn", "sw": "swh"}  # where they are not ISO 639-3's code of the short one
XTREME = codes(
    "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
)

register(
    Task(
        "tatoeba",
        "aligned",
        "retrieval",
        "Tatoeba: find an English sentence's translation among up to 1,000",
        languages=XTREME,
        extra_languages=codes("az lt pl uk ro"),
        max_length=512,
        source=Source(
            files={"test": ("tatoeba.{l}-eng.{l} tatoeba.{l}-eng.eng",)},
            hubs=(
                Hub(
                    "google/xtreme",
                    "tatoeba.{l}",
                    splits={"test": "validation"},
                    codes={code: TATOEBA_NAMES.get(code, iso3(code)) for code in XTREME},
                    languages=XTREME,
                    columns={"source": "source_sentence", "target": "target_sentence"},
                ),
            ),
            miniature="bitext",
            sizes={"test": "1,000 pairs, fewer in jv te ta sw th kk ml ka [S]"},
            licence="CC BY 2.0 FR",
            paper="https://arxiv.org/abs/1812.10464",
        ),
    ),
    Task(
        "bucc2018",
        "pools",
        "mining",
        "BUCC 2018: mine the translation pairs hidden in two sets of sentences",
        languages=("de", "fr", "ru", "zh"),
        max_length=512,
        aliases=("bucc",),
        source=Source(
            files={
                "validation": (
                    "{l}-en.sample.{l} {l}-en.sample.en {l}-en.sample.gold",
                    "{l}-en.dev.{l} {l}-en.dev.en {l}-en.dev.gold",
                ),
                "test": (
                    "{l}-en.training.{l} {l}-en.training.en {l}-en.training.gold",
                    "{l}-en.test.{l} {l}-en.test.en {l}-en.test.gold",
                ),
            },
            sizes={
                "validation": "a sample of the training pools",
                "test": "1,896 to 14,330 gold pairs by language [S]",
            },
            miniature="pools",
            licence="by source; see https://comparable.limsi.fr/bucc2018",
            paper="https://comparable.limsi.fr/bucc2018",
        ),
    ),
    Task(
        "bucc2018-goldpool",
        "pools",
        "mining",
        "BUCC 2018's gold pairs alone, as the hub has them: far easier than mining, and not to be compared with it",
        languages=("de", "fr", "ru", "zh"),
        max_length=512,
        source=Source(
            hubs=(
                Hub(
                    "google/xtreme",
                    "bucc18.{l}",
                    splits={"validation": "validation", "test": "test"},
                    columns={
                        "source_id": "source_lang",
                        "source": "source_sentence",
                        "target_id": "target_lang",
                        "target": "target_sentence",
                    },
                    certainty=f"{PLAIN}; gold pairs only",
                ),
            ),
            licence="by source; see https://comparable.limsi.fr/bucc2018",
            paper="https://comparable.limsi.fr/bucc2018",
            substitutions=(
                "the pools are reduced to the gold pairs: there is nothing else to be mistaken for a translation",
            ),
        ),
    ),
)
for domain in ("medical", "legal"):
    register(
        Task(
            f"bitext-{domain}",
            "aligned",
            "retrieval",
            f"the miniature's {domain} sentences and their translations, for comparison with its general ones",
            max_length=512,
            source=Source(miniature=f"bitext-{domain}"),
        )
    )
