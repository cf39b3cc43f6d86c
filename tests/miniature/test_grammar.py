"""Sentences written by hand, and what every language owes the labels read from its words."""

from __future__ import annotations

import random

import pytest

from adapter_stilts.miniature import world
from adapter_stilts.miniature.grammar import Style, starts_of, text_of
from adapter_stilts.miniature.languages import LANGUAGES, grammar
from adapter_stilts.miniature.sampling import Sampler
from adapter_stilts.miniature.sentences import any_sentence
from adapter_stilts.miniature.world import Clause, Sentence, Thing

BOUGHT = Sentence(Clause("buy", "anna", Thing("book", modifier="red"), place="market", time="monday"))
NOT_SHOWN = Sentence(Clause("show", "boy", Thing("map", modifier="old"), partner="eva", negated=True))
GAVE = Sentence(
    Clause("give", "peter", Thing("chair", count="three"), partner="neighbour", place="berlin", time="yesterday")
)
SLEPT = Sentence(Clause("sleep", "clara", place="hotel"), "because", Clause("tired", "clara"))
WET = Sentence(Clause("wet", thing=Thing("coat")), "because", Clause("rain"))
NO_UMBRELLA = Sentence(Clause("exist", thing=Thing("umbrella"), place="hotel", negated=True))

BY_HAND = {
    "en": (
        "Anna bought a red book at the market on Monday.",
        "The boy did not show an old map to Eva.",
        "Peter gave three chairs to the neighbour in Berlin yesterday.",
        "Clara slept in the hotel because she was tired.",
        "The coat was wet because it rained.",
        "There was no umbrella in the hotel.",
    ),
    "de": (
        "Anna kaufte am Montag ein rotes Buch auf dem Markt.",
        "Der Junge zeigte Eva keine alte Landkarte.",
        "Peter gab gestern der Nachbarin drei Stühle in Berlin.",
        "Clara schlief im Hotel, weil sie müde war.",
        "Der Mantel war nass, weil es regnete.",
        "Es gab keinen Regenschirm im Hotel.",
    ),
    "es": (
        "Ana compró un libro rojo en el mercado el lunes.",
        "El niño no le mostró ningún mapa viejo a Eva.",
        "Pedro le dio tres sillas a la vecina en Berlín ayer.",
        "Clara durmió en el hotel porque estaba cansada.",
        "El abrigo estaba mojado porque llovió.",
        "No había ningún paraguas en el hotel.",
    ),
    "ru": (
        "Анна купила красную книгу на рынке в понедельник.",
        "Мальчик не показал Еве старую карту.",
        "Пётр дал соседке три стула в Берлине вчера.",
        "Клара спала в гостинице, потому что она была уставшей.",
        "Пальто было мокрым, потому что шёл дождь.",
        "В гостинице не было зонта.",
    ),
    "tr": (
        "Anna pazartesi günü pazarda kırmızı bir kitap satın aldı.",
        "Oğlan Eva'ya eski bir harita göstermedi.",
        "Peter dün Berlin'de komşuya üç sandalye verdi.",
        "Clara otelde uyudu, çünkü yorgundu.",
        "Palto ıslaktı, çünkü yağmur yağdı.",
        "Otelde şemsiye yoktu.",
    ),
    "fi": (
        "Anna osti punaisen kirjan torilla maanantaina.",
        "Poika ei näyttänyt vanhaa karttaa Evalle.",
        "Peter antoi kolme tuolia naapurille Berliinissä eilen.",
        "Clara nukkui hotellissa, koska hän oli väsynyt.",
        "Takki oli märkä, koska satoi vettä.",
        "Hotellissa ei ollut sateenvarjoa.",
    ),
    "hi": (
        "अन्ना ने सोमवार को बाज़ार में एक लाल किताब ख़रीदी।",
        "लड़के ने ईवा को पुराना नक्शा नहीं दिखाया।",
        "पीटर ने कल बर्लिन में पड़ोसिन को तीन कुर्सियाँ दीं।",
        "क्लारा होटल में सोई क्योंकि वह थकी थी।",
        "कोट गीला था क्योंकि बारिश हुई।",
        "होटल में छाता नहीं था।",
    ),
    "sw": (
        "Anna alinunua kitabu chekundu sokoni siku ya Jumatatu.",
        "Mvulana hakumwonyesha Eva ramani ya zamani.",
        "Petro alimpa jirani viti vitatu mjini Berlin jana.",
        "Clara alilala hotelini kwa sababu alikuwa amechoka.",
        "Koti lilikuwa limelowa kwa sababu mvua ilinyesha.",
        "Hakukuwa na mwavuli hotelini.",
    ),
    "ar": (
        "اشترت آنا كتابا أحمر في السوق يوم الاثنين.",
        "لم يعرض الولد خريطة قديمة على إيفا.",
        "أعطى بيتر ثلاثة مقاعد للجارة في برلين أمس.",
        "نامت كلارا في الفندق لأنها كانت متعبة.",
        "كان المعطف مبللا لأن المطر نزل.",
        "لم تكن هناك مظلة في الفندق.",
    ),
    "ja": (
        "アンナは月曜日に市場で赤い本を買った。",
        "少年はエヴァに古い地図を見せなかった。",
        "ピーターは昨日ベルリンで隣人に椅子を三脚あげた。",
        "クララは疲れていたので、ホテルで寝た。",
        "雨が降ったので、コートは濡れていた。",
        "ホテルに傘はなかった。",
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_writes_what_a_speaker_would_write(language: str) -> None:
    meanings = (BOUGHT, NOT_SHOWN, GAVE, SLEPT, WET, NO_UMBRELLA)
    assert tuple(text_of(grammar(language).sentence(meaning, Style())) for meaning in meanings) == BY_HAND[language]


def test_moves_the_time_to_the_front_and_keeps_the_german_verb_second() -> None:
    assert (
        text_of(grammar("de").sentence(BOUGHT, Style("time"))) == "Am Montag kaufte Anna ein rotes Buch auf dem Markt."
    )


def test_asks_in_the_words_of_the_language() -> None:
    assert text_of(grammar("en").question(BOUGHT.first, "place", Style())) == "Where did Anna buy a red book on Monday?"
    assert (
        text_of(grammar("es").question(GAVE.first, "partner", Style()))
        == "¿A quién le dio Pedro tres sillas en Berlín ayer?"
    )
    assert text_of(grammar("hi").question(BOUGHT.first, "thing", Style())) == ("अन्ना ने सोमवार को बाज़ार में क्या ख़रीदा?")
    assert (
        text_of(grammar("ja").question(BOUGHT.first, "agent", Style())) == "誰が月曜日に市場で赤い本を買ったのですか。"
    )


def test_joins_the_arabic_prefix_with_the_next_word() -> None:
    meaning = Sentence(Clause("sing", "maria", place="park"), "and", Clause("return", "viktor", place="office"))
    words = grammar("ar").sentence(meaning, Style())
    assert "وعاد" in text_of(words)
    assert [word.tag for word in words if word.text == "و"] == ["CCONJ"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_knows_where_every_word_stands_in_the_text(language: str) -> None:
    sampler = Sampler(random.Random(1), "train", everything=True)
    for _ in range(100):
        words = grammar(language).sentence(any_sentence(sampler), sampler.style())
        text = text_of(words)
        assert all(
            text[start : start + len(word.text)] == word.text
            for word, start in zip(words, starts_of(words), strict=True)
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_has_a_form_for_every_concept(language: str) -> None:
    entries = grammar(language).entries
    assert set(world.NAMES) <= set(entries["names"])
    assert {*world.ROLES, *world.MEDICAL.roles, *world.LEGAL.roles} <= set(entries["roles"])
    assert {*world.NOUNS, *world.KINDS, *world.MEDICAL.nouns, *world.LEGAL.nouns} <= set(entries["things"])
    assert {*world.PLACES, *world.MEDICAL.places, *world.LEGAL.places} <= set(entries["places"])
    assert set(world.CITIES) <= set(entries["cities"])
    assert set(world.ORGS) <= set(entries["orgs"])
    assert set(world.TIMES) <= set(entries["times"])
    assert {*world.COLOURS, *world.QUALITIES} <= set(entries["modifiers"])
    events = [verb for verb, frame in world.FRAMES.items() if frame in ("act", "give", "get", "do", "move")]
    assert set(events) <= set(entries["verbs"])
    assert {*world.FEELINGS, *world.STATES} <= set(entries["states"])


def test_has_no_form_for_an_unknown_concept() -> None:
    known = {concept for names in (world.FRAMES, world.NOUNS, world.KINDS, world.NAMES) for concept in names}
    for language in LANGUAGES:
        for section in ("verbs", "states"):
            assert {concept.rstrip("~") for concept in grammar(language).entries[section]} <= known
