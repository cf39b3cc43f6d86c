"""Named entities: PAN-X as in XTREME, Universal NER, and MasakhaNER. All are learned on English and scored on PER, ORG
and LOC."""

from __future__ import annotations

from adapter_stilts.tasks.base import NER_LABELS, register
from adapter_stilts.tasks.source import Hub, codes, splits

TAGS = {str(number): tag for number, tag in enumerate(NER_LABELS)}
PANX = codes(
    "ar he vi id jv ms tl eu ml ta te af nl en de el bn hi mr ur fa fr it pt es bg ru ja ka ko th sw yo my zh kk tr et "
    "fi hu"
)
ADDED = codes("qu pl uk az lt pa gu ro")  # by XTREME-R
NOTE = "rows of WikiAnn on the hub: whether its splits are those of XTREME's archive is not known"

# fmt: off
register(
    "panx", "tags", "PAN-X (WikiAnn): entities in 40 languages, marked by links of Wikipedia", languages=PANX,
    extra_languages=ADDED, labels=NER_LABELS,
    train="panx/train-{l}.tsv | {l}/train | {l}-train | panx.{l}.train.conll",
    validation="panx/dev-{l}.tsv | {l}/dev | {l}-dev | panx.{l}.dev.conll",
    test="panx/test-{l}.tsv | {l}/test | {l}-test | panx.{l}.test.conll",
    hubs=(
        Hub("google/xtreme", "PAN-X.{l}", label_names=TAGS, languages=PANX),
        Hub("unimelb-nlp/wikiann", "{l}", label_names=TAGS, languages=(*PANX, *ADDED), note=NOTE),
    ),
    sizes={"train": "20,000 [S]", "validation": "10,000 [S]", "test": "1,000 to 10,000 by language [S]"},
    miniature="ner", licence="by Wikipedia edition; CC BY-SA", paper="https://aclanthology.org/P17-1178",
)
register(
    "uner", "tags", "Universal NER: entities marked by people on Universal Dependencies",
    languages=codes("da de en hr pt ru sk sr sv tl zh"), labels=NER_LABELS, files=splits("{l}_*-ud-{split}.iob2"),
    concatenate=True, miniature="ner", licence="by treebank; mostly CC BY-SA", paper="https://arxiv.org/abs/2311.09122",
)
register(
    "masakhaner", "tags", "MasakhaNER 1.0: entities in African languages; its dates are read as no entity",
    languages=codes("amh hau ibo kin lug luo pcm swa wol yor"), labels=NER_LABELS, train_task="uner",
    ignore_labels=("DATE",),
    validation="masakhaner.{l}.dev.conll | {l}.dev.conll | {l}/dev.txt",
    test="masakhaner.{l}.test.conll | {l}.test.conll | {l}/test.txt", miniature="ner", licence="CC BY-NC 4.0",
    paper="https://arxiv.org/abs/2103.11811", substitutions=("DATE is read as no entity",),
)
