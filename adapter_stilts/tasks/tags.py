"""Tags of words: parts of speech of Universal Dependencies as in XTREME, CCG supertags and what stands in for them, and
named entities.

XTREME fuses the words of a multi-word token. A treebank's own files are read so under its protocols, and by their
syntactic words otherwise; `task.multiword` says fuse or split for either. XTREME's prepared files (test-de.tsv) are
read as they are.

CCGbank is licensed by the LDC, so `ccg` reads a copy of the user's own. `chunking`, `ud-xpos` and `ud-deprel` are free;
they stand in for it, and every manifest and table says so.

Entities are those of PAN-X as in XTREME, Universal NER, and MasakhaNER. All are learned on English and scored on PER,
ORG and LOC.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from adapter_stilts.data.columns import words
from adapter_stilts.data.conllu_rows import UPOS
from adapter_stilts.tasks.base import NER_LABELS, Leak
from adapter_stilts.tasks.base import register as register_task
from adapter_stilts.tasks.source import SCRIPT, UNVERIFIED, Hub, only, pairs, splits

UNIVERSAL: dict[str, Any] = {
    "concatenate": True,
    "licence": "by treebank; mostly CC BY-SA",
    "paper": "https://universaldependencies.org",
}

# Languages by google/xtreme's own spelling, "Afrikans" included.
NAMES = pairs("""
    af Afrikans  ar Arabic  bg Bulgarian  de German  el Greek  en English  es Spanish  et Estonian  eu Basque  fa
    Persian  fi Finnish  fr French  he Hebrew  hi Hindi  hu Hungarian  id Indonesian  it Italian  ja Japanese  kk
    Kazakh  ko Korean  mr Marathi  nl Dutch  pt Portuguese  ru Russian  ta Tamil  te Telugu  th Thai  tl Tagalog  tr
    Turkish  ur Urdu  vi Vietnamese  yo Yoruba  zh Chinese
""")
# The languages that XTREME-R adds, each with all its treebanks of UD 2.7 that have sentences.
ADDED = pairs("""
    lt lt_alksnis+lt_hse  pl pl_lfg+pl_pdb+pl_pud  uk uk_iu  wo wo_wtf  ro ro_nonstandard+ro_rrt+ro_simonero
""")

UD, UPOS_TAGS = "universal-dependencies/universal_dependencies", {"words": "tokens", "tags": "upos"}
SAME_SENTENCES = "its sentences are the training set's, under other tags"
OF_XTREME = "rows of google/xtreme on the hub: their multi-word tokens are not those of XTREME's own files"
OF_HUB = "rows of Universal Dependencies on the hub, in its version; XTREME-R reads UD 2.7 with multi-word tokens fused"
NER_NUMBERS = {str(number): tag for number, tag in enumerate(NER_LABELS)}
PANX = words(
    "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw yo my zh kk tr et "
    "fi hu"
)
PANX_ADDED = words("qu pl uk az lt pa gu ro")  # by XTREME-R
OF_WIKIANN = "rows of WikiAnn on the hub: whether its splits are those of XTREME's archive is not known"

register = partial(register_task, rule="0.0")  # what is published was scored by seqeval's first rule
# fmt: off
register(
    "udpos", "tags", "part-of-speech tags (UPOS) in 33 languages", languages=tuple(NAMES), extra_languages=tuple(ADDED),
    labels=UPOS, leaks=(Leak("ud-xpos", "same-text", SAME_SENTENCES), Leak("ud-deprel", "same-text", SAME_SENTENCES)),
    train="{l}_*-ud-train.conllu | udpos/train-{l}.tsv", validation="{l}_*-ud-dev.conllu | udpos/dev-{l}.tsv",
    test="{l}_*-ud-test.conllu | udpos/test-{l}.tsv",
    hubs=(
        Hub("google/xtreme", "udpos.{l}", codes=NAMES, note=OF_XTREME),
        Hub(UD, "{l}", codes=ADDED, columns=UPOS_TAGS, languages=tuple(ADDED), certainty=SCRIPT, note=OF_HUB),
    ),
    sizes={"train": "21,253 [S]", "validation": "3,974 [S]", "test": "47 to 20,436 by language [S]"}, miniature="pos",
    **UNIVERSAL,
)
register(
    "ccg", "tags",
    "CCG supertags of words, from a copy of CCGbank of your own (licensed, LDC2005T13), its sections joined to a "
    "file a split",
    metric="token_accuracy", open_labels=True,
    train="ccg.train.auto | ccg.train.pipe | ccg/train.tsv | ccg.train",
    validation="ccg.dev.auto | ccg.dev.pipe | ccg/val.tsv | ccg.dev",
    test="ccg.test.auto | ccg.test.pipe | ccg/test.tsv | ccg.test",
    sizes={"train": "38,015 [M]", "validation": "5,484 [M]"}, licence="LDC User Agreement",
    paper="https://aclanthology.org/J07-3004",
)
CCG = "CCG supertagging"
CHUNKS = {"words": "tokens", "tags": "chunk_tags"}
register(
    "chunking", "tags", "CoNLL-2000: base phrases of English", open_labels=True, held_out=20,
    train="conll2000/train.txt | conll2000.train.txt", test="conll2000/test.txt | conll2000.test.txt",
    hubs=(Hub("eriktks/conll2000", splits=only("train", "test"), columns=CHUNKS, certainty=UNVERIFIED),),
    stands_for=CCG, licence="Penn Treebank text; see https://www.clips.uantwerpen.be/conll2000/chunking/",
    paper="https://aclanthology.org/W00-0726",
)
TAGS = {"xpos": "the treebank's own part-of-speech tags", "deprel": "each word's relation to its head"}
for column, what in TAGS.items():
    register(
        f"ud-{column}", "tags", f"Universal Dependencies: {what}", metric="token_accuracy", open_labels=True,
        leaks=(Leak("udpos", "same-text", "UD-POS has the same sentences under other tags"),),
        train="{l}_*-ud-train.conllu", validation="{l}_*-ud-dev.conllu", test="{l}_*-ud-test.conllu", tag_column=column,
        stands_for=CCG, **UNIVERSAL,
    )
register(
    "panx", "tags", "PAN-X (WikiAnn): entities in 40 languages, marked by links of Wikipedia", languages=PANX,
    extra_languages=PANX_ADDED, labels=NER_LABELS,
    train="panx/train-{l}.tsv | {l}/train | {l}-train | panx.{l}.train.conll",
    validation="panx/dev-{l}.tsv | {l}/dev | {l}-dev | panx.{l}.dev.conll",
    test="panx/test-{l}.tsv | {l}/test | {l}-test | panx.{l}.test.conll",
    hubs=(
        Hub("google/xtreme", "PAN-X.{l}", label_names=NER_NUMBERS, languages=PANX),
        Hub("unimelb-nlp/wikiann", "{l}", label_names=NER_NUMBERS, languages=(*PANX, *PANX_ADDED), note=OF_WIKIANN),
    ),
    sizes={"train": "20,000 [S]", "validation": "10,000 [S]", "test": "1,000 to 10,000 by language [S]"},
    miniature="ner", licence="by Wikipedia edition; CC BY-SA", paper="https://aclanthology.org/P17-1178",
)
register(
    "uner", "tags", "Universal NER: entities marked by people on Universal Dependencies",
    languages=words("da de en hr pt ru sk sr sv tl zh"), labels=NER_LABELS, files=splits("{l}_*-ud-{split}.iob2"),
    concatenate=True, miniature="ner", licence="by treebank; mostly CC BY-SA", paper="https://arxiv.org/abs/2311.09122",
)
register(
    "masakhaner", "tags", "MasakhaNER 1.0: entities in African languages; its dates are read as no entity",
    languages=words("amh hau ibo kin lug luo pcm swa wol yor"), labels=NER_LABELS, train_task="uner",
    ignore_labels=("DATE",),
    validation="masakhaner.{l}.dev.conll | {l}.dev.conll | {l}/dev.txt",
    test="masakhaner.{l}.test.conll | {l}.test.conll | {l}/test.txt", miniature="ner", licence="CC BY-NC 4.0",
    paper="https://arxiv.org/abs/2103.11811", substitutions=("DATE is read as no entity",),
)
