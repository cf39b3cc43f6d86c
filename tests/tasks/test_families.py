"""Names, families and scripts of languages."""

import pytest

from adapter_stilts.tasks.base import all_tasks
from adapter_stilts.tasks.families import OTHER, UNKNOWN, language
from adapter_stilts.tasks.languages import iso1


@pytest.mark.parametrize(
    ("code", "name", "family", "script"),
    [
        ("swh", "Swahili", "Niger-Congo, Bantu", "Latin"),
        ("deu_Latn", "German", "Indo-European, Germanic", "Latin"),
        ("zh-TW", "Chinese", "Sino-Tibetan, Sinitic", "Chinese (traditional)"),
        ("srp_Latn", "Serbian", "Indo-European, Slavic", "Latin"),
        ("sr", "Serbian", "Indo-European, Slavic", "Cyrillic"),
        ("ckb", "Central Kurdish", "Indo-European, Iranian", "Arabic"),
        ("ast", "Asturian", "Indo-European, Romance", "Latin"),
        ("tlh", "tlh", OTHER, UNKNOWN),
    ],
)
def test_knows_a_language_by_any_code(code, name, family, script):
    assert language(code) == (iso1(code), name, family, script)


def test_has_a_family_and_a_script_for_every_language_of_a_task():
    codes = {code for task in all_tasks() for code in (*task.languages, *task.extra_languages, task.train_language)}
    unknown = {code for code in codes if code and {OTHER, UNKNOWN} & {*language(code)}}
    assert unknown == set()
