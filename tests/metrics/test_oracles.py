"""The metrics against slow readings of their published definitions, on thousands of random and hostile predictions.

The oracles share no code with what they test. SQuAD 2.0 is compared with transformers' own copy of the official script
as well.
"""

import random
import re
import string
import unicodedata
from types import SimpleNamespace

import pytest

from adapter_stilts.metrics.answers import mlqa_text, squad_text
from adapter_stilts.metrics.base import Options
from adapter_stilts.metrics.labels import score_labels
from adapter_stilts.metrics.pairs import score_pairs
from adapter_stilts.metrics.squad import best_null_threshold, score_answers
from adapter_stilts.metrics.tags import score_tags

WORDS = [
    "a",
    "an",
    "the",
    "The",
    "THE",
    "der",
    "die",
    "das",
    "el",
    "la",
    "los",
    "của",
    "là",
    "ال",
    "البيت",
    "the.",
    "cat",
    "Cat",
    "cat's",
    "3.5",
    "$5",
    "¿qué?",
    "«",
    "»",
    "—",
    "“the”",
    "北京",
    "北京市",
    "中国",
    "กรุงเทพ",
    "मुंबई",
    "।",
    "،",
    "・",
    "ﬁne",
    "ǅ",
    "İ",
    "ß",
    "a_b",
]
MARKS = ["", " ", "  ", "\t", "\u00a0", "\u3000", "\u2028", ".", ",", "。", "、", "-", "_", "\u200d", "\u0301"]
POS = ["ADJ", "ADP", "AUX", "CCONJ", "DET", "NOUN", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X"]
MARKED = [
    "O",
    "O",
    "B-PER",
    "I-PER",
    "E-PER",
    "S-PER",
    "B-LOC",
    "I-LOC",
    "B-",
    "I-",
    "B",
    "I",
    "S",
    "E",
    ".",
    "O-PER",
    "I-A-B",
]


def text(rnd):
    return "".join(rnd.choice(WORDS) + rnd.choice(MARKS) for _ in range(rnd.randint(0, 5)))


def overlap(guess, answer):
    """F1 of two bags, by striking out shared tokens one by one."""
    left, shared = list(answer), 0
    for token in guess:
        if token in left:
            left.remove(token)
            shared += 1
    if not shared:
        return 0.0
    precision, recall = shared / len(guess), shared / len(answer)
    return 2 * precision * recall / (precision + recall)


def squad_tokens(answer):
    kept = "".join(character for character in answer.lower() if character not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", kept).split()


MLQA_ARTICLES = {"en": "a|an|the", "es": "un|una|unos|unas|el|la|los|las", "vi": "của|là|cái|chiếc|những"}
MLQA_ARTICLES["de"] = "ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des"


def mlqa_tokens(answer, language):
    kept = "".join(
        one for one in answer.lower() if one not in string.punctuation and unicodedata.category(one)[0] != "P"
    )
    if language in MLQA_ARTICLES:
        kept = re.sub(rf"\b({MLQA_ARTICLES[language]})\b", " ", kept)
    if language == "ar":
        kept = kept.replace("ال", " ")
    if language != "zh":
        return kept.split()
    tokens, run = [], ""
    for character in [*kept, "一"]:
        if "\u4e00" <= character <= "\u9fa5":
            tokens += [*run.split(), character]
            run = ""
        else:
            run += character
    return tokens[:-1]


@pytest.mark.parametrize(
    ("metric", "language"),
    [("squad", "en"), ("squad", "th"), *(("mlqa", one) for one in ("en", "es", "de", "ar", "hi", "vi", "zh"))],
)
def test_scores_answers_as_published(metric, language):
    rnd = random.Random(f"{metric} {language}")
    tokens = squad_tokens if metric == "squad" else lambda answer: mlqa_tokens(answer, language)
    gold = {str(number): [text(rnd) for _ in range(rnd.randint(1, 3))] for number in range(1500)}
    guesses = {
        question: rnd.choice([text(rnd), rnd.choice(answers), rnd.choice(answers) + rnd.choice(WORDS)])
        for question, answers in gold.items()
    }
    for question in rnd.sample(sorted(gold), 100):
        del guesses[question]
    exact = sum(any(tokens(guesses[one]) == tokens(answer) for answer in gold[one]) for one in guesses) / len(gold)
    f1 = sum(max(overlap(tokens(guesses[one]), tokens(answer)) for answer in gold[one]) for one in guesses) / len(gold)
    found = score_answers(metric, gold, guesses, Options(language=language, intervals=False))
    assert (found.metrics["exact_match"], found.metrics["f1"]) == pytest.approx((exact, f1), abs=1e-12)
    assert (found.n, found.unanswered) == (1500, 100)


@pytest.mark.parametrize("answer", ["", "the", " The  ", "...", "。", "\u3000", "a an the"])
def test_gives_an_answer_of_nothing_no_f1_though_it_matches(answer):
    assert squad_text(answer).strip() in ("", "。")
    found = score_answers("squad", {"q": [answer]}, {"q": answer}, Options(intervals=False))
    assert found.metrics["exact_match"] == 1.0
    assert found.metrics["f1"] == (0.0 if squad_text(answer) == "" else 1.0)


def test_strikes_the_arabic_article_out_inside_words_too():
    assert mlqa_text("ar")("البيت والبيت") == "بيت و بيت"


def test_scores_squad_2_as_the_official_script_at_every_threshold():
    official = pytest.importorskip("transformers.data.metrics.squad_metrics")
    rnd = random.Random(2)
    for _ in range(40):
        # With texts of articles and punctuation alone, which the script's search takes for answers and its scores for
        # none, and equal odds.
        gold = {
            str(number): [rnd.choice([text(rnd), text(rnd) + "cat"]) for _ in range(rnd.randint(0, 2))]
            for number in range(30)
        }
        guesses = {question: rnd.choice([text(rnd) + "cat", *answers, "", "the"]) for question, answers in gold.items()}
        odds = {question: rnd.choice([rnd.uniform(-3, 3), 0.5]) for question in rnd.sample(sorted(gold), 30)}
        examples = [
            SimpleNamespace(qas_id=one, answers=[{"text": answer} for answer in answers])
            for one, answers in gold.items()
        ]
        has_answer = {one: bool(answers) for one, answers in gold.items()}
        raw = dict(zip(("exact_match", "f1"), official.get_raw_scores(examples, guesses), strict=True))
        plain = score_answers("squad_v2", gold, guesses, Options(intervals=False)).metrics
        for metric, scores in raw.items():
            assert plain[metric] == pytest.approx(sum(scores.values()) / 30, abs=1e-12)
            best, threshold = official.find_best_thresh(guesses, scores, odds, has_answer)
            chosen = best_null_threshold(
                [gold[one] for one in odds], [guesses[one] for one in odds], list(odds.values()), metric
            )
            assert (chosen.score, chosen.threshold) == (pytest.approx(best / 100, abs=1e-12), threshold)
            oracles = score_answers("squad_v2", gold, guesses, Options(null_odds=odds, intervals=False)).metrics
            assert oracles[f"{metric}-oracle"] == pytest.approx(best / 100, abs=1e-12)
            for threshold in rnd.sample(sorted(odds.values()), 3):
                final = official.apply_no_ans_threshold(scores, odds, has_answer, threshold)
                cut = score_answers(
                    "squad_v2", gold, guesses, Options(null_odds=odds, null_threshold=threshold, intervals=False)
                ).metrics
                assert cut[metric] == pytest.approx(sum(final.values()) / 30, abs=1e-12)


def chunks_by_conlleval(sentences):
    """All chunks, from two lists: where the rules of conlleval say that one starts, and where one ends; the type is the
    whole rest of the tag."""
    tags = ["O", *(tag for sentence in sentences for tag in (*sentence, "O"))]
    prefix, kind = [tag[0] for tag in tags], [tag.split("-")[-1] for tag in tags]
    kind[0] = ""
    places = range(1, len(tags))
    ends = [
        place - 1
        for place in places
        if prefix[place - 1] in ("E", "S")
        or (prefix[place - 1] + prefix[place] in ("BB", "BS", "BO", "IB", "IS", "IO"))
        or (prefix[place - 1] not in ("O", ".") and kind[place - 1] != kind[place])
    ]
    starts = [
        place
        for place in places
        if prefix[place] in ("B", "S")
        or (prefix[place - 1] + prefix[place] in ("EE", "EI", "SE", "SI", "OE", "OI"))
        or (prefix[place] not in ("O", ".") and kind[place - 1] != kind[place])
    ]
    return {(kind[end], max([start for start in starts if start <= end], default=1), end) for end in ends}


@pytest.mark.parametrize("tags", [POS, MARKED, [*POS, *MARKED]])
def test_finds_chunks_as_seqeval_0_0(tags):
    rnd = random.Random(len(tags))
    for _ in range(1200):
        gold = [[rnd.choice(tags) for _ in range(rnd.randint(1, 8))] for _ in range(rnd.randint(1, 4))]
        change = rnd.random()
        guess = [[rnd.choice(tags) if rnd.random() < change else tag for tag in sentence] for sentence in gold]
        right, found = chunks_by_conlleval(gold), chunks_by_conlleval(guess)
        shared = len(right & found)
        expected = (
            shared / len(found) if found else 0,
            shared / len(right) if right else 0,
            2 * shared / (len(found) + len(right)) if found or right else 0,
        )
        scored = score_tags(gold, guess, Options(intervals=False)).metrics
        assert (scored["precision"], scored["recall"], scored["f1"]) == pytest.approx(expected, abs=1e-12)
        words = [
            (a, b) for right, guessed in zip(gold, guess, strict=True) for a, b in zip(right, guessed, strict=True)
        ]
        assert scored["token_accuracy"] == pytest.approx(sum(a == b for a, b in words) / len(words))


def test_scores_the_example_of_bare_tags_under_both_rules():
    gold = [["DET", "NOUN", "NOUN", "SCONJ", "CCONJ", "VERB"]]
    guess = [["DET", "NOUN", "NOUN", "CCONJ", "CCONJ", "NOUN"]]
    # 0.0: gold DET, NOUN NOUN, SCONJ, CCONJ, VERB and guess DET, NOUN NOUN, CCONJ CCONJ, NOUN share two chunks.
    # 1.2: SCONJ CCONJ is a chunk of one type as well, which the guess has, too (seqeval 1.2.2 gives 0.6667).
    assert score_tags(gold, guess, Options(intervals=False)).value == pytest.approx(2 * 2 / (5 + 4))
    assert score_tags(gold, guess, Options(rule="1.2", intervals=False)).value == pytest.approx(2 * 3 / (5 + 4))


def test_scores_pairs_as_sets():
    rnd = random.Random(4)
    for _ in range(1000):
        gold, mined = (
            [(f"d{rnd.randint(0, 9)}", f"e{rnd.randint(0, 9)}") for _ in range(rnd.randint(1, 12))] for _ in range(2)
        )
        shared = [pair for pair in set(gold) if pair in mined]
        precision, recall = len(shared) / len(set(mined)), len(shared) / len(set(gold))
        f1 = 2 * precision * recall / (precision + recall) if shared else 0
        scored = score_pairs(gold, mined, Options(intervals=False)).metrics
        assert (scored["precision"], scored["recall"], scored["f1"]) == pytest.approx(
            (precision, recall, f1), abs=1e-12
        )


def test_scores_labels_line_by_line():
    rnd = random.Random(9)
    for _ in range(500):
        gold, guess = ([rnd.choice("abc") for _ in range(20)] for _ in range(2))
        assert score_labels(gold, guess, Options(intervals=False)).value == sum(map(str.__eq__, gold, guess)) / 20
