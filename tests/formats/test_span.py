"""Questions and windows: where they start, and that a gold answer can be read back from them."""

import pytest

from adapter_stilts.data.batches import collate
from adapter_stilts.errors import UsageError
from adapter_stilts.formats.base import Cut, formats
from adapter_stilts.formats.span import covering
from adapter_stilts.formats.squad import Answer, SpanQuestion

CONTEXT = " ".join(f"In {year} the Panthers gave up {year % 308} points." for year in range(1900, 1960))


def question(answer, context=CONTEXT, text="How many points?", id="q"):
    return SpanQuestion(id, text, context, (Answer(answer, context.index(answer)),) if answer else ())


def read_back(feature, context):
    first, last = feature.target
    return context[feature.offsets[first][0] : feature.offsets[last][1]]


def test_advances_the_start_of_a_window_by_the_step_and_not_the_overlap(tokenizer):
    whole = tokenizer(CONTEXT, add_special_tokens=False)["input_ids"]
    asked = tokenizer("How many points?", add_special_tokens=False)["input_ids"]
    found = formats["span"].features(
        [question("In 1950")], tokenizer, Cut(max_length=100, window_step=30, training=False)
    )
    room = 100 - len(asked) - 4
    for feature in found:
        assert list(feature.input_ids) == [0, *asked, 2, 2, *whole[30 * feature.window :][:room], 2]
    assert [feature.window for feature in found] == list(range(len(found)))
    # the last window, and no earlier one, reaches the end
    assert [30 * number + room >= len(whole) for number in range(len(found))] == [False] * (len(found) - 1) + [True]


@pytest.mark.parametrize(
    "answer", ["In 1900", "Panthers", "1931 the Panthers", "1959", "In 1959 the Panthers gave up 111 points."]
)
def test_reads_the_gold_answer_back_from_every_window_that_holds_it(tokenizer, answer):
    row = question(answer)
    start, end = row.answers[0].start, row.answers[0].start + len(answer)
    found = formats["span"].features([row], tokenizer, Cut(max_length=90, window_step=40, training=False))
    held = [
        feature
        for feature in found
        if any(span[0] <= start < span[1] for span in feature.offsets)
        and any(span[1] >= end for span in feature.offsets)
    ]
    assert held
    assert all(read_back(feature, CONTEXT) == answer for feature in held)
    assert all(feature.target == (0, 0) for feature in found if feature not in held)


@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("黑豹队的防守只丢了308分，在联赛中排名第六。", "308分"),
        ("ทีมรับของแพนเธอร์สยอมแพ้ที่คะแนนเพียง 308", "คะแนนเพียง"),
        ("पैंथर्स डिफ़ेंस ने केवल 308 अंक दिए।", "डिफ़ेंस ने"),
        ("\ufeffPanthers savunması ligde altıncı.", "savunması"),
        ("About ½ of ﬁve \u2028 teams\u00a0won", "½"),
        ("About ½ of ﬁve \u2028 teams\u00a0won", "teams\u00a0won"),
    ],
)
def test_covers_an_answer_in_any_script_by_the_smallest_span(tokenizer, context, answer):
    (feature,) = formats["span"].features([question(answer, context)], tokenizer, Cut(max_length=100, training=False))
    assert answer in read_back(feature, context)
    first, last = feature.target
    start = context.index(answer)
    # brute force over all spans of tokens: none that holds the answer covers fewer characters
    spans = [span for span in feature.offsets if span != (-1, -1)]
    best = min(
        right[1] - left[0]
        for left in spans
        for right in spans
        if left[0] <= start and right[1] >= start + len(answer) and left <= right
    )
    assert feature.offsets[last][1] - feature.offsets[first][0] == best


@pytest.mark.parametrize(
    "answer",
    [
        "సర్కిల్\u200c",  # Telugu words often end with a zero-width non-joiner
        "ne\u0301",  # a decomposed letter
        "\u1112\u1161\u11ab\u1100\u116e\u11a8",  # Korean in single letters
        "\u200fabc\u200e",  # marks of direction
        "का\u200d",
    ],
)
@pytest.mark.parametrize("before_and_after", [("", ""), ("q ", " z"), ("„", "“.")])
def test_reads_back_an_answer_whose_ends_the_normalisation_drops(tokenizer, answer, before_and_after):
    before, after = before_and_after
    (feature,) = formats["span"].features(
        [question(answer, f"{before}{answer}{after}")], tokenizer, Cut(max_length=100, training=False)
    )
    assert answer in read_back(feature, f"{before}{answer}{after}")
    (learned,) = formats["span"].features(
        [question(answer, f"{before}{answer}{after}")], tokenizer, Cut(max_length=100, training=True)
    )
    assert learned.target == feature.target != (0, 0)


def test_finds_the_tokens_over_a_stretch_of_characters():
    assert covering(((0, 1), (0, 2), (2, 3)), 0, 2) == (1, 1)
    assert covering(((0, 2), (2, 5), (5, 6)), 1, 4) == (0, 1)
    assert covering(((0, 2),), 1, 4) is None
    assert covering(((3, 5),), 1, 4) is None


def test_points_to_the_first_token_where_there_is_no_answer(tokenizer):
    found = formats["span"].features([question("")], tokenizer, Cut(max_length=90, window_step=40, training=False))
    assert {feature.target for feature in found} == {(0, 0)}


def test_leaves_out_misplaced_answers_in_training_alone_and_counts_them(tokenizer):
    wrong = SpanQuestion("w", "Q?", CONTEXT, (Answer("Panthers", 1),))
    beyond = SpanQuestion("b", "Q?", CONTEXT, (Answer("Panthers", 99999),))
    rows = [wrong, question("Panthers"), beyond, SpanQuestion("e", "Q?", CONTEXT, (Answer(" ", 2),))]
    assert sum(map(formats["span"].misplaced, rows)) == 3
    trained = formats["span"].features(rows, tokenizer, Cut(max_length=384, window_step=128, training=True))
    assert {feature.example for feature in trained} == {1}
    assert {feature.offsets for feature in trained} == {()}
    scored = formats["span"].features(rows, tokenizer, Cut(max_length=384, window_step=128, training=False))
    assert {feature.example for feature in scored} == {0, 1, 2, 3}
    assert {feature.target for feature in scored if feature.example != 1} == {(-100, -100)}


def test_cuts_a_long_question_and_refuses_a_row_without_room(tokenizer):
    long = question("Panthers", text="Why " * 200)
    (feature, *_) = formats["span"].features([long], tokenizer, Cut(max_length=96, query_length=64, training=False))
    assert [span == (-1, -1) for span in feature.offsets[:68]] == [True] * 67 + [False]
    with pytest.raises(
        UsageError, match=r"64 tokens has no room for a context beside a question of 64(.|\n)*raise max_length"
    ):
        formats["span"].features([long], tokenizer, Cut(max_length=64, training=False))


def test_keeps_a_step_wider_than_the_window_from_skipping_text(tokenizer):
    found = formats["span"].features(
        [question("Panthers")], tokenizer, Cut(max_length=60, window_step=500, training=False)
    )
    seen = {span for feature in found for span in feature.offsets}
    assert CONTEXT.replace(" ", "") == "".join(CONTEXT[start:end] for start, end in sorted(seen - {(-1, -1)}))


def test_marks_the_context_alone_with_offsets(tokenizer):
    (feature,) = formats["span"].features(
        [question("", context="The league")], tokenizer, Cut(max_length=60, training=False)
    )
    lead = len(tokenizer("How many points?", add_special_tokens=False)["input_ids"]) + 3
    assert feature.offsets[:lead] == ((-1, -1),) * lead
    assert feature.offsets[-1] == (-1, -1)
    assert len(feature.offsets) == len(feature.input_ids)
    assert collate([feature], 1)["labels"].tolist() == [[0, 0]]
