"""Languages by name, family and script, to group scores by.

    language("swh")       Language("sw", "Swahili", "Niger-Congo, Bantu", "Latin")
    language("zh-TW")     Language("zh", "Chinese", "Sino-Tibetan, Sinitic", "Chinese (traditional)")
    language("tlh")       Language("tlh", "tlh", "other", "not known"): a code nobody here knows is its own name

Families and branches are those of WALS (Dryer and Haspelmath 2013, https://wals.info), with creoles and constructed
languages apart.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from adapter_stilts.tasks.languages import iso1, script_of

OTHER, UNKNOWN = "other", "not known"
FAMILIES = """
Indo-European, Germanic: af Afrikaans, da Danish, de German, en English, fo Faroese, fy West Frisian, gsw Swiss German,
    is Icelandic, lb Luxembourgish, li Limburgish, nb Norwegian Bokmål, nds Low German, nl Dutch, nn Norwegian Nynorsk,
    no Norwegian, sv Swedish, yi Yiddish
Indo-European, Romance: an Aragonese, ast Asturian, ca Catalan, co Corsican, es Spanish, fr French, gl Galician,
    it Italian, oc Occitan, pt Portuguese, rm Romansh, ro Romanian, sc Sardinian, wa Walloon
Indo-European, Italic: la Latin
Indo-European, Slavic: be Belarusian, bg Bulgarian, bs Bosnian, cs Czech, csb Kashubian, cu Old Church Slavonic,
    dsb Lower Sorbian, hr Croatian, hsb Upper Sorbian, mk Macedonian, pl Polish, ru Russian, sh Serbo-Croatian,
    sk Slovak, sl Slovenian, sr Serbian, uk Ukrainian
Indo-European, Baltic: lt Lithuanian, lv Latvian
Indo-European, Celtic: br Breton, cy Welsh, ga Irish, gd Scottish Gaelic, gv Manx, kw Cornish
Indo-European, Greek: el Greek
Indo-European, Armenian: hy Armenian
Indo-European, Albanian: sq Albanian
Indo-European, Iranian: ckb Central Kurdish, fa Persian, ku Kurdish, os Ossetian, ps Pashto, tg Tajik
Indo-European, Indic: as Assamese, bho Bhojpuri, bn Bengali, dv Dhivehi, gu Gujarati, hi Hindi, ks Kashmiri,
    mai Maithili, mr Marathi, ne Nepali, or Odia, pa Punjabi, sa Sanskrit, sd Sindhi, si Sinhala, ur Urdu
Uralic, Finnic: et Estonian, fi Finnish
Uralic, Ugric: hu Hungarian
Uralic, Saami: se Northern Sami
Uralic, Permic: kv Komi
Turkic: az Azerbaijani, ba Bashkir, cv Chuvash, kk Kazakh, ky Kyrgyz, tk Turkmen, tr Turkish, tt Tatar, ug Uyghur,
    uz Uzbek
Mongolic: mn Mongolian
Japanese: ja Japanese
Korean: ko Korean
Sino-Tibetan, Sinitic: wuu Wu Chinese, yue Cantonese, zh Chinese
Sino-Tibetan, Tibeto-Burman: bo Tibetan, dz Dzongkha, my Burmese
Austroasiatic: km Khmer, vi Vietnamese
Tai-Kadai: lo Lao, th Thai, za Zhuang
Austronesian: ceb Cebuano, ch Chamorro, fj Fijian, haw Hawaiian, id Indonesian, ilo Ilocano, jv Javanese, mg Malagasy,
    mi Maori, ms Malay, sm Samoan, su Sundanese, tl Tagalog, to Tongan, ty Tahitian, war Waray
Dravidian: kn Kannada, ml Malayalam, ta Tamil, te Telugu
Kartvelian: ka Georgian
Northwest Caucasian: ab Abkhaz
Nakh-Daghestanian: av Avar, ce Chechen
Afro-Asiatic, Semitic: am Amharic, ar Arabic, arz Egyptian Arabic, he Hebrew, mt Maltese, ti Tigrinya
Afro-Asiatic, Cushitic: om Oromo, so Somali
Afro-Asiatic, Chadic: ha Hausa
Afro-Asiatic, Berber: kab Kabyle
Niger-Congo, Bantu: kg Kongo, ki Kikuyu, lg Ganda, ln Lingala, nd Northern Ndebele, nr Southern Ndebele, ny Chichewa,
    rn Rundi, rw Kinyarwanda, sn Shona, ss Swati, st Southern Sotho, sw Swahili, tn Tswana, ts Tsonga, ve Venda,
    xh Xhosa, zu Zulu
Niger-Congo, Northern Atlantic: ff Fula, wo Wolof
Niger-Congo, Kwa: ak Akan, ee Ewe, tw Twi
Niger-Congo, Defoid: yo Yoruba
Niger-Congo, Igboid: ig Igbo
Mande: bm Bambara
Nilotic: luo Luo
Quechuan: qu Quechua
Aymaran: ay Aymara
Tupian: gn Guarani
Na-Dene: nv Navajo
Eskimo-Aleut: iu Inuktitut, kl Kalaallisut
Algic: cr Cree, oj Ojibwe
Basque: eu Basque
creoles: ht Haitian Creole, pcm Nigerian Pidgin
constructed: eo Esperanto, ia Interlingua, ie Interlingue, io Ido, vo Volapük
"""
SCRIPTS = """
Arab Arabic, Armn Armenian, Beng Bengali, Cans Canadian syllabics, Cyrl Cyrillic, Deva Devanagari, Ethi Ethiopic,
Geor Georgian, Grek Greek, Gujr Gujarati, Guru Gurmukhi, Hang Hangul, Hans Chinese, Hant Chinese (traditional),
Hebr Hebrew, Jpan Japanese, Khmr Khmer, Knda Kannada, Laoo Lao, Latn Latin, Mlym Malayalam, Mymr Burmese, Orya Odia,
Sinh Sinhala, Taml Tamil, Telu Telugu, Thaa Thaana, Thai Thai, Tibt Tibetan
"""
# Of languages without a two-letter code, where that is not Latin.
LONGER = "arz Arab, bho Deva, ckb Arab, mai Deva, wuu Hans, yue Hant"


class Language(NamedTuple):
    """A language as people are shown it."""

    code: str
    name: str
    family: str
    script: str


def language(code: str) -> Language:
    """Of a code as a data set spells it; the script that the code names, or the language's usual one."""
    short = iso1(code)
    name, family = _families().get(short, (short, OTHER))
    script = script_of(code) or _named(LONGER).get(short, "Latn" if family != OTHER else "")
    return Language(short, name, family, _named(SCRIPTS).get(script, script or UNKNOWN))


@cache
def _families() -> dict[str, tuple[str, str]]:
    """Code -> name and family."""
    lines = FAMILIES.strip().replace("\n    ", " ").split("\n")
    split = (line.split(": ", 1) for line in lines)
    return {code: (name, family) for family, listed in split for code, name in _named(listed).items()}


@cache
def _named(text: str) -> dict[str, str]:
    """ "ar Arabic, am Amharic" as code -> name."""
    entries = (entry.split(None, 1) for entry in text.split(","))
    return {code: name.strip() for code, name in entries}
