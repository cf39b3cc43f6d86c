"""What each protocol reads and how, and that a gold answer or tag decodes to itself.

Decoding is compared with transformers' own copy of the script that XTREME and jiant use, on features made by an
independent slow reading of how they make them: the context cut at white space, every word cut on its own.
"""

import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from small_files import read_rows
from transformers import PreTrainedTokenizerFast

from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.config import read_config
from adapter_stilts.encoder.trunk.loading import HeldTokenizer
from adapter_stilts.encoder.trunk.tokenizer import load_tokenizer
from adapter_stilts.errors import UnknownName
from adapter_stilts.evaluation import predict as prediction
from adapter_stilts.evaluation.predict import predict
from adapter_stilts.formats.base import Cut, Rules, formats
from adapter_stilts.formats.protocols import target_protocols
from adapter_stilts.formats.squad import Answer, SpanQuestion
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.metrics.answers import most_context, squad_text
from adapter_stilts.miniature.datasets import trunk_folder

ENGLISH = (
    "The small cat (Anna) sleeps under the old table in Paris on Monday, and Bert's dog bought 2.50 red apples there. "
)
CONTEXTS = {
    "en": ENGLISH * 3,
    "ja": "小さな猫は古いテーブルの下で眠る。アンナは月曜日にパリで赤いリンゴを二つ買った。" * 3,
    "th": "แมวตัวเล็กนอนอยู่ใต้โต๊ะเก่าในปารีสวันจันทร์ และแอนนาซื้อแอปเปิ้ลสีแดงสองลูกที่นั่น " * 12,
    "zh": "小猫睡在旧桌子下面，安娜星期一在巴黎买了两个红苹果。\u3000他们 很高兴（2020年）！" * 3,
}
CONTEXTS = {
    language: text.strip() for language, text in CONTEXTS.items()
}  # a space at the end would be a sub-word of its own
STEP, LENGTH = 7, 36


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return load_tokenizer(trunk_folder(), read_config(trunk_folder()))


@pytest.fixture
def model(tiny_trunk, tokenizer):
    """A head whose logits the tests set, over a tokenizer that has words of many scripts."""
    made = TaskModel(AdapterEncoder(tiny_trunk), build_head("span", tiny_trunk.config.hidden_size, 2, seed=1), "span")
    made.encoder.trunk.held = HeldTokenizer(lambda: tokenizer)
    return made


def windows_of(question, tokenizer):
    return formats["span"].features(
        [question], tokenizer, Cut(max_length=LENGTH, query_length=6, window_step=STEP, training=False)
    )


def made(logits):
    """In the place of a model that is read: these logits."""
    return lambda model, features, budget, keep: [keep(row, one) for row, one in zip(logits, features, strict=True)]


def decoded(model, monkeypatch, question, rows, logits, protocol, language):
    monkeypatch.setattr(prediction, "read", made(logits))
    rules = replace(target_protocols[protocol].decoding, window_step=STEP)
    return predict(model, [question], rows, Rules(decoding=rules, language=language))[question.id]


def test_names_the_nearest_protocol():
    with pytest.raises(UnknownName, match="did you mean 'xtreme'"):
        target_protocols["xtrme"]


def test_holds_the_published_choices():
    xtreme, jiant = target_protocols["xtreme"], target_protocols["jiant"]
    assert [formats["tags"].length(one, 200) for one in (xtreme, jiant)] == [128, 256]
    assert [formats["pair"].length(one, 200) for one in (xtreme, jiant)] == [128, 256]
    assert {formats["span"].length(one, 200) for one in (xtreme, jiant)} == {384}
    for one in target_protocols.values():
        assert (
            one.query_length,
            one.decoding.window_step,
            one.decoding.n_best,
            one.decoding.longest,
            one.decoding.null_threshold,
        ) == (64, 128, 20, 30, 0.0)
    assert (xtreme.decoding.unaligned, jiant.decoding.unaligned) == ((), ("zh",))
    assert formats["span"].length(target_protocols["own"], 200) == 200


def test_says_every_choice_with_the_score_and_what_the_trunk_had_no_room_for():
    settings = formats["span"].settings(target_protocols["jiant"], 384)
    assert settings == {
        "max_length": 384,
        "query_length": 64,
        "window_step": 128,
        "n_best": 20,
        "answer_length": 30,
        "n_best_of": "row",
        "most_context": True,
        "answer_text": "words",
        "null_threshold": 0.0,
        "unaligned": "zh",
    }
    assert formats["span"].settings(target_protocols["xtreme"], 64)["protocol_max_length"] == 384
    assert formats["tags"].settings(target_protocols["xtreme"], 128) == {
        "max_length": 128,
        "long_sentences": "split",
        "end_marks": 2,
        "label_on": "first sub-word",
    }


def test_gives_each_token_its_window_of_most_context():
    rnd = random.Random(1)
    for _ in range(300):
        room, step, tokens = rnd.randint(1, 12), rnd.randint(1, 12), rnd.randint(1, 40)
        step = min(step, room)
        starts = [0]
        while starts[-1] + room < tokens:
            starts.append(starts[-1] + step)
        sizes = [min(room, tokens - start) for start in starts]
        for number, marked in enumerate(most_context(sizes, step)):
            for place, most in enumerate(marked):
                scores = [
                    (
                        min(starts[number] + place - start, start + size - 1 - starts[number] - place) + 0.01 * size,
                        -window,
                    )
                    for window, (start, size) in enumerate(zip(starts, sizes, strict=True))
                    if start <= starts[number] + place < start + size
                ]
                assert most == (max(scores)[1] == -number)


def reference(question, tokenizer, logits, rows):
    """The answer of transformers' script, over features made word by word from the context."""
    official = pytest.importorskip("transformers.data.metrics.squad_metrics")  # of transformers 4

    words, tokens, of_word = [], [], []
    for word in "".join(" " if one in " \t\r\n\u202f" else one for one in question.context).split(" "):
        if word:
            pieces = tokenizer.convert_ids_to_tokens(
                tokenizer(word, add_special_tokens=False)["input_ids"]
            )  # "<unk>" for what it does not know
            tokens += pieces
            of_word += [len(words)] * len(pieces)
            words.append(word)
    lead = len(tokenizer.tokenize(question.question)[:6]) + 3
    room, made = LENGTH - lead - 1, []
    starts = [number * min(STEP, room) for number in range(len(rows))]
    spans = [(start, min(room, len(tokens) - start)) for start in starts]
    for number, (start, size) in enumerate(spans):
        inside = range(start, start + size)
        most = {}
        for token in inside:
            scored = [
                (min(token - a, a + n - 1 - token) + 0.01 * n, -place)
                for place, (a, n) in enumerate(spans)
                if a <= token < a + n
            ]
            most[lead + token - start] = max(scored)[1] == -number
        marked = ["<q>"] * lead + tokens[start : start + size] + ["</s>"]
        assert len(marked) == len(logits[number])
        words_of = {lead + token - start: of_word[token] for token in inside}
        made.append(
            SimpleNamespace(
                example_index=0, unique_id=number, tokens=marked, token_to_orig_map=words_of, token_is_max_context=most
            )
        )
    results = [
        SimpleNamespace(unique_id=number, start_logits=row[:, 0].tolist(), end_logits=row[:, 1].tolist())
        for number, row in enumerate(logits)
    ]
    example = SimpleNamespace(qas_id="q", doc_tokens=words)
    found = official.compute_predictions_logits(
        [example], made, results, 20, 30, False, None, None, None, False, False, 0.0, tokenizer
    )["q"]
    return "" if found == "empty" else found


@pytest.mark.parametrize("language", sorted(CONTEXTS))
def test_decodes_random_logits_as_the_reference_does(model, monkeypatch, tokenizer, language):
    rnd = np.random.default_rng(7)
    question = SpanQuestion("q", "Who bought the red apples there?", CONTEXTS[language], ())
    rows = windows_of(question, tokenizer)
    assert len(rows) > 3
    for _ in range(40):
        logits = [rnd.normal(size=(len(row.input_ids), 2)).astype(np.float32) for row in rows]
        assert decoded(model, monkeypatch, question, rows, logits, "xtreme", language) == reference(
            question, tokenizer, logits, rows
        )


def gold_logits(rows):
    """Logits that point at the gold answer in every window that holds it."""
    logits = []
    for row in rows:
        found = np.zeros((len(row.input_ids), 2), dtype=np.float32)
        if row.target != (0, 0):
            found[row.target[0], 0] = found[row.target[1], 1] = 9.0
        logits.append(found)
    return logits


def asked(context, text, nth=0):
    start = -1
    for _ in range(nth + 1):
        start = context.index(text, start + 1)
    return SpanQuestion("q", "Who?", context, (Answer(text, start),))


ENGLISH_ANSWERS = ["Anna", "(Anna)", "Paris", "on Monday, and", "under the old table in Paris on Monday", "there."]


@pytest.mark.parametrize("text", ENGLISH_ANSWERS)
@pytest.mark.parametrize("nth", [0, 1, 2])
@pytest.mark.parametrize("protocol", list(target_protocols))
def test_gives_the_gold_answer_back_from_any_window(model, monkeypatch, tokenizer, protocol, text, nth):
    question = asked(CONTEXTS["en"], text, nth)
    rows = windows_of(question, tokenizer)
    found = decoded(model, monkeypatch, question, rows, gold_logits(rows), protocol, "en")
    # The reference does not find "(Anna)" in "( Anna )": the whole words are the answer, which here is the same.
    assert found == text


@pytest.mark.parametrize(("language", "text"), [("zh", "安娜"), ("zh", "两个红苹果"), ("th", "ปารีส"), ("ja", "月曜日")])
def test_gives_answers_back_where_no_spaces_are_written(model, monkeypatch, tokenizer, language, text):
    question = asked(CONTEXTS[language], text)
    rows = windows_of(question, tokenizer)
    assert any(row.target != (0, 0) for row in rows)
    assert text in decoded(model, monkeypatch, question, rows, gold_logits(rows), "own", language)
    word = next(word for word in CONTEXTS[language].split(" ") if text in word)
    found = decoded(model, monkeypatch, question, rows, gold_logits(rows), "xtreme", language)
    assert text in found
    assert found in word


def test_leaves_chinese_unaligned_under_jiant_alone(model, monkeypatch, tokenizer):
    question = asked(CONTEXTS["ja"], "月曜日")
    rows = windows_of(question, tokenizer)
    logits = gold_logits(rows)
    word = CONTEXTS["ja"]
    assert (
        decoded(model, monkeypatch, question, rows, logits, "xtreme", "zh") == word
    )  # no space, so all of it is one word
    assert decoded(model, monkeypatch, question, rows, logits, "jiant", "ja") == word
    unaligned = decoded(model, monkeypatch, question, rows, logits, "jiant", "zh")
    assert "月曜日" in unaligned
    assert len(unaligned) < len(word)


def tagged(words):
    return Tagged("0", tuple(words), tuple("XY"[number % 2] for number in range(len(words))))


@pytest.mark.parametrize(
    "words",
    [["cat"] * 60, ["", "\u200b", "cat"] * 12, ["the small cat sleeps under the old table " * 4, "Anna"], ["a"]],
)
@pytest.mark.parametrize("protocol", list(target_protocols))
def test_gives_the_gold_tags_back_as_far_as_the_protocol_reads(model, monkeypatch, tokenizer, protocol, words):
    sentence, rules = tagged(words), target_protocols[protocol]
    rows = formats["tags"].features(
        [sentence],
        tokenizer,
        Cut(labels=("X", "Y"), max_length=24, end_marks=rules.end_marks, truncate=rules.truncate, training=False),
    )
    model.format = formats["tags"]
    truth = [np.eye(2, dtype=np.float32)[np.maximum(row.target, 0)] for row in rows]
    monkeypatch.setattr(prediction, "read", made(truth))
    (found,) = predict(model, [sentence], rows, Rules(labels=("X", "Y")))
    ends = rules.end_marks
    assert all(row.input_ids[-ends:] == (tokenizer.sep_token_id,) * ends and len(row.input_ids) <= 24 for row in rows)
    if rules.truncate:
        assert len(rows) == 1
        assert found == sentence.tags[: len(found)]
        assert len(found) == len(words) or len(rows[0].input_ids) == 24
    else:
        assert found == sentence.tags


def test_keeps_a_truncated_word_whose_first_sub_word_fits(tokenizer):
    long = next(
        word for word in ("Universitätsbibliothek", "international", "Großmutter") if len(tokenizer.tokenize(word)) > 2
    )
    pieces = len(tokenizer.tokenize(long))
    sentence = tagged([long] * 3)
    (row,) = formats["tags"].features(
        [sentence], tokenizer, Cut(labels=("X", "Y"), max_length=2 + pieces + 1, truncate=True, training=False)
    )
    assert len(row.words) == 2
    assert len(row.input_ids) == 2 + pieces + 1


@pytest.mark.real
@pytest.mark.parametrize(("language", "inside"), [("en", 1), ("th", 1), ("zh", 5)])
def test_gives_the_gold_answers_of_xquad_back(model, monkeypatch, shared_path, language, inside):
    """All but those of more than 30 sub-words, and `inside`: the few that end inside a sub-word."""
    place = shared_path("models/nano-xlmr")
    model.encoder.trunk.held = HeldTokenizer(lambda: load_tokenizer(place, read_config(place)))
    tokenizer = model.encoder.trunk.tokenizer
    questions = [
        row
        for row in read_rows(shared_path(f"data/qa/xquad.{language}.json.gz"), "span")
        if isinstance(row, SpanQuestion)
    ]
    rows = formats["span"].features(questions, tokenizer, Cut(max_length=384, training=False))
    monkeypatch.setattr(prediction, "read", made(gold_logits(rows)))
    found = predict(model, questions, rows, Rules(decoding=target_protocols["own"].decoding, language=language))
    long = {row.example for row in rows if row.target[1] - row.target[0] >= 30}
    lost = [
        number for number, row in enumerate(questions) if squad_text(found[row.id]) != squad_text(row.answers[0].text)
    ]
    assert len(questions) == 1190
    assert len(set(lost) - long) == inside
