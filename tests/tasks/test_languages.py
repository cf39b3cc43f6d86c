"""Codes of languages, in all the spellings that data sets use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.tasks.languages import (
    all_codes,
    iso1,
    iso3,
    same_language,
    same_variety,
    serves,
    spelled,
    spelled_in,
)


@pytest.mark.parametrize(
    ("code", "short"),
    [
        *[("deu", "de"), ("ger", "de"), ("DE", "de"), ("cmn", "zh"), ("zho_Hans", "zh")],
        *[("pt_BR", "pt"), ("zh-TW", "zh"), ("pes", "fa"), ("swh_Latn", "sw"), ("arb", "ar")],
    ],
)
def test_knows_a_language_by_any_of_its_codes(code, short):
    assert iso1(code) == short
    assert same_language(code, short)


def test_gives_three_letters():
    assert [iso3(code) for code in ("sw", "cmn", "el", "gre", "eu")] == ["swa", "zho", "ell", "ell", "eus"]


def test_leaves_languages_without_a_short_code_as_they_are():
    assert (iso1("gsw"), iso3("gsw"), iso1("gsw_Latn")) == ("gsw", "gsw", "gsw")
    assert not same_language("gsw", "de")


def test_covers_every_language_of_xtreme():
    first = "af ar az bg bn de el en es et eu fa fi fr gu he hi ht hu id it ja jv"
    second = "ka kk ko lt ml mr ms my nl pa pl pt qu ro ru sw ta te th tl tr uk ur vi wo yo zh"
    assert all(len(iso3(code)) == 3 and iso1(iso3(code)) == code for code in (first + " " + second).split())


def test_finds_how_a_data_set_spells_a_language():
    assert spelled_in("sw", ["swh", "deu"]) == "swh"
    assert spelled_in("zh", ["zho_Hant", "zh"]) == "zh"
    assert spelled_in("xx", ["swh", "deu"]) is None


@pytest.mark.parametrize(
    ("code", "asked", "expected"),
    [
        *[("zho_Hans", "zh", True), ("zh-Hant", "zh", False), ("zh", "zh-Hant", False), ("zh", "zh-Hans", True)],
        *[("zh-TW", "zh-Hant", True), ("zh-TW", "zh-HK", False), ("zho-CN", "zh", True), ("zh_hant", "zh-Hant", True)],
        *[("pt-BR", "pt", True), ("pt", "pt-BR", False), ("pt-PT", "pt-BR", False), ("en-US", "eng", True)],
        *[("arb_Arab", "ar", True), ("arb_Latn", "ar", False), ("ar", "arb_Arab", True), ("sr-Latn", "sr", False)],
        *[("kor_Hang", "ko-Kore", True), ("ace_Arab", "ace", True), ("ace_Arab", "ace_Latn", False)],
    ],
)
def test_tells_scripts_and_regions_apart(code, asked, expected):
    assert serves(code, asked) is expected
    assert same_variety(code, asked) is (expected and serves(asked, code))


def test_spells_a_script_or_a_region_as_it_is_written():
    assert [spelled(code, ()) for code in ("deu", "zh-Hans", "pt_BR", "")] == ["de", "zh-Hans", "pt_BR", ""]
    codes, known = ("arb_Arab", "zh-Hant", "pt-BR"), ("ar", "zh", "pt")
    assert [spelled(code, known) for code in codes] == ["ar", "zh-Hant", "pt-BR"]


def test_lists_all_codes_of_a_language():
    assert all_codes("de") == {"de", "deu", "ger"}
    assert {"pes", "fas", "per", "fa"} <= all_codes("pes")
    assert {"zh-Hant", "zho_Hant", "cmn_Hant"} <= all_codes("zh-Hant")
    assert not {"zh", "zho"} & all_codes("zh-Hant")
    assert {"zh", "zho"} <= all_codes("zh-Hans")


@given(st.text(max_size=12))
def test_is_settled_after_one_step_for_any_text(code):
    assert iso1(iso1(code)) == iso1(code)
    assert same_language(iso3(code), code)
