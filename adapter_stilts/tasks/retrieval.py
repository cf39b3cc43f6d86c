"""Sentences and their translations: Tatoeba, where each has its partner, and BUCC 2018, where pairs hide in two large
sets.

XTREME's own download of Tatoeba (de-en.de, de-en.en) has the English side sorted, so that line i is no longer the
translation of line i; it is not looked for. The files of LASER's release are.
"""

from __future__ import annotations

from typing import Any

from adapter_stilts.data.columns import words
from adapter_stilts.tasks.base import register
from adapter_stilts.tasks.languages import iso3
from adapter_stilts.tasks.source import PLAIN, Hub, only, pairs

TATOEBA_NAMES = {"fa": "pes", "zh": "cmn", "sw": "swh"}  # where they are not ISO 639-3's code of the short one
XTREME = words(
    "ar he vi id jv tl eu ml ta te af nl de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw zh kk tr et fi hu"
)
NAMES = {code: TATOEBA_NAMES.get(code, iso3(code)) for code in XTREME}
SENTENCES = {"source": "source_sentence", "target": "target_sentence"}
TEST = only(test="validation")
BUCC: dict[str, Any] = {
    "languages": words("de fr ru zh"),
    "licence": "by source; see https://comparable.limsi.fr/bucc2018",
    "paper": "https://comparable.limsi.fr/bucc2018",
}
BOTH = only("validation", "test")
GOLD_COLUMNS = pairs("""
    source_id source_lang  source source_sentence  target_id target_lang  target target_sentence
""")

# fmt: off
register(
    "tatoeba", "aligned", "Tatoeba: find an English sentence's translation among up to 1,000", languages=XTREME,
    extra_languages=words("az lt pl uk ro"),
    test="tatoeba.{l}-eng.{l} tatoeba.{l}-eng.eng",
    hubs=(Hub("google/xtreme", "tatoeba.{l}", splits=TEST, codes=NAMES, languages=XTREME, columns=SENTENCES),),
    miniature="bitext", sizes={"test": "1,000 pairs, fewer in jv te ta sw th kk ml ka [S]"}, licence="CC BY 2.0 FR",
    paper="https://arxiv.org/abs/1812.10464",
)
register(
    "bucc2018", "pools", "BUCC 2018: mine the translation pairs hidden in two sets of sentences", aliases=("bucc",),
    validation="{l}-en.sample.{l} {l}-en.sample.en {l}-en.sample.gold | {l}-en.dev.{l} {l}-en.dev.en {l}-en.dev.gold",
    test="{l}-en.training.{l} {l}-en.training.en {l}-en.training.gold"
    " | {l}-en.test.{l} {l}-en.test.en {l}-en.test.gold",
    sizes={"validation": "a sample of the training pools", "test": "1,896 to 14,330 gold pairs by language [S]"},
    miniature="pools", **BUCC,
)
register(
    "bucc2018-goldpool", "pools",
    "BUCC 2018's gold pairs alone, as the hub has them: far easier than mining, and not to be compared with it",
    hubs=(
        Hub("google/xtreme", "bucc18.{l}", splits=BOTH, columns=GOLD_COLUMNS, certainty=f"{PLAIN}; gold pairs only"),
    ),
    substitutions=("the pools are reduced to the gold pairs: there is nothing else to be mistaken for a translation",),
    **BUCC,
)
for domain in ("medical", "legal"):
    what = f"the miniature's {domain} sentences and their translations, for comparison with its general ones"
    register(f"bitext-{domain}", "aligned", what, languages=(), miniature=f"bitext-{domain}")
