"""Sentences and their translations: Tatoeba, where each has its partner, and BUCC 2018, where pairs hide in two large sets."""

from __future__ import annotations

from adapter_stilts.tasks.base import Hub, Task, codes, register
from adapter_stilts.tasks.languages import iso3

TATOEBA_NAMES = {"fa": "pes", "zh": "cmn", "sw": "swh"}  # where they are not ISO 639-3's code of the short one
XTREME = codes("ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu")

register(
    Task(
        "tatoeba",
        "aligned",
        "retrieval",
        "Tatoeba: find an English sentence's translation among up to 1,000",
        languages=XTREME,
        files={"test": ("tatoeba.{l}-eng.{l} tatoeba.{l}-eng.eng",)},
        hub=Hub(
            "google/xtreme",
            "tatoeba.{l}",
            splits={"test": "validation"},
            codes={code: TATOEBA_NAMES.get(code, iso3(code)) for code in XTREME},
            columns={"source": "source_sentence", "target": "target_sentence"},
        ),
        miniature="bitext",
        max_length=512,
        licence="CC BY 2.0 FR",
        paper="https://arxiv.org/abs/1812.10464",
    )
)
register(
    Task(
        "bucc2018",
        "pools",
        "mining",
        "BUCC 2018: mine the translation pairs hidden in two sets of sentences",
        languages=("de", "fr", "ru", "zh"),
        files={
            "validation": ("{l}-en.sample.{l} {l}-en.sample.en {l}-en.sample.gold", "{l}-en.dev.{l} {l}-en.dev.en {l}-en.dev.gold"),
            "test": ("{l}-en.training.{l} {l}-en.training.en {l}-en.training.gold", "{l}-en.test.{l} {l}-en.test.en {l}-en.test.gold"),
        },
        miniature="pools",
        max_length=512,
        licence="by source; see https://comparable.limsi.fr/bucc2018",
        paper="https://comparable.limsi.fr/bucc2018",
        aliases=("bucc",),
    )
)
for domain in ("medical", "legal"):
    register(
        Task(
            f"bitext-{domain}",
            "aligned",
            "retrieval",
            f"the miniature's {domain} sentences and their translations, for comparison with its general ones",
            miniature=f"bitext-{domain}",
            max_length=512,
        )
    )
