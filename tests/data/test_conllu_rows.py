"""Treebanks by syntactic words, and fused as XTREME fused them: every expected sentence is worked out by hand from the
tool's rules."""

import pytest

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.reading import read
from adapter_stilts.formats.tags import Tagged


def row(id, form, upos, head, xpos="x", deprel="dep", deps="_"):
    return f"{id}\t{form}\tlemma\t{upos}\t{xpos}\t_\t{head}\t{deprel}\t{deps}\t_\n"


def span(id, form):
    return f"{id}\t{form}" + "\t_" * 8 + "\n"


ZUM = (
    row(1, "geht", "VERB", 0)
    + span("2-3", "zum")
    + row(2, "zu", "ADP", 4)
    + row(3, "dem", "DET", 4)
    + row(4, "Haus", "NOUN", 1)
    + "\n"
)


@pytest.fixture
def sentences(write):
    def put(text, **layout):
        return [(row.words, row.tags) for row in read(write("de_x-ud-test.conllu", text), Layout("tags", **layout))]

    return put


def test_splits_and_fuses_a_range_at_its_place(sentences):
    assert sentences(ZUM) == [(("geht", "zu", "dem", "Haus"), ("VERB", "ADP", "DET", "NOUN"))]
    assert sentences(ZUM, multiword="fuse") == [(("geht", "zum", "Haus"), ("VERB", "ADP", "NOUN"))]


def test_tags_a_fused_word_as_the_word_nearest_the_root(sentences):
    # "dámelo": the verb is the root, "me" and "lo" hang on it; in "vente", the second word is nearer the root than the
    # first.
    damelo = span("1-3", "dámelo") + row(1, "da", "VERB", 0) + row(2, "me", "PRON", 1) + row(3, "lo", "PRON", 1) + "\n"
    odd = span("1-2", "xy") + row(1, "x", "NOUN", 2) + row(2, "y", "PART", 0) + "\n"
    assert sentences(damelo + odd, multiword="fuse") == [(("dámelo",), ("VERB",)), (("xy",), ("PART",))]


@pytest.mark.parametrize(
    ("first", "second", "language", "tag"),
    [
        ("ADP", "DET", "de", "ADP"),
        ("DET", "NOUN", "de", "NOUN"),
        ("SCONJ", "ADV", "fi", "ADV"),
        ("ADV", "PRON", "de", "PRON"),
        ("ADV", "PRON", "it", "ADV"),  # Italian puts adverbs before pronouns
        ("ADP", "PRON", "es", "PRON"),
        ("NOUN", "ADP", "es", "ADP"),  # Spanish's list has no nouns
        ("NOUN", "AUX", "de", "NOUN"),
        ("NOUN", "AUX", "fr", "AUX"),
        ("SYM", "PUNCT", "de", "PUNCT"),  # SYM stands in no list
        ("SYM", "X", "es", "SYM"),  # neither does: the first
    ],
)
def test_tags_a_fused_word_of_equals_by_the_languages_list(sentences, first, second, language, tag):
    text = row(1, "a", "VERB", 0) + span("2-3", "bc") + row(2, "b", first, 1) + row(3, "c", second, 1) + "\n"
    assert sentences(text, multiword="fuse", language=language) == [(("a", "bc"), ("VERB", tag))]


def test_counts_further_heads_of_the_enhanced_graph(sentences):
    # Both hang on word 4; the second hangs on word 1 too, so that more stands above it and the first is the head,
    # whatever its rank.
    text = (
        row(1, "a", "X", 4)
        + span("2-3", "bc")
        + row(2, "b", "PUNCT", 4)
        + row(3, "c", "VERB", 4, deps="1:dep|4:dep")
        + row(4, "d", "VERB", 0)
        + "\n"
    )
    assert sentences(text, multiword="fuse")[0][1] == ("X", "PUNCT", "VERB")


def test_takes_joiners_and_spaces_out_of_fused_reading_only(sentences):
    text = row(1, "می\u200cروم", "VERB", 0) + row(2, "10 000", "NUM", 1) + "\n"
    assert sentences(text, multiword="fuse")[0][0] == ("میروم", "10000")
    assert sentences(text)[0][0] == ("می\u200cروم", "10 000")


def test_leaves_out_sentences_without_words_and_words_without_tags(sentences):
    blank = row(1, "_", "NOUN", 0) + row(2, "_", "VERB", 1) + row(3, "a", "X", 1) + "\n"  # all but one
    kept = row(1, "_", "NOUN", 0) + row(2, "b", "VERB", 1) + row(3, "a", "X", 1) + "\n"
    assert sentences(blank + kept, multiword="fuse") == [(("_", "b", "a"), ("NOUN", "VERB", "X"))]
    assert sentences(row(1, "a", "_", 0) + row(2, "b", "NOUN", 1) + "\n") == [(("b",), ("NOUN",))]


def test_leaves_out_empty_nodes_and_reads_other_columns(sentences):
    text = (
        row(1, "a", "NOUN", 0, "NN", "root") + row("1.1", "e", "VERB", "_") + row(2, "b", "VERB", 1, "VB", "acl") + "\n"
    )
    assert sentences(text, tag_column="xpos") == [(("a", "b"), ("NN", "VB"))]
    assert sentences(text, tag_column="deprel") == [(("a", "b"), ("root", "acl"))]


def test_survives_a_circle_of_heads(sentences):
    text = span("1-2", "ab") + row(1, "a", "NOUN", 2) + row(2, "b", "VERB", 1) + row(3, "c", "X", 0) + "\n"
    assert sentences(text, multiword="fuse") == [(("ab", "c"), ("VERB", "X"))]


def test_names_the_line_of_a_broken_row(write):
    with pytest.raises(TaskDataError, match=r"3 columns where CoNLL-U has 10(.|\n)*line 2"):
        read(write("a.conllu", row(1, "a", "X", 0) + "2\tb\tc\n\n"), Layout("tags"))


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "ranges"),
    [("de_pud", 331), ("en_ewt", 354), ("id_pud", 412), ("tr_pud", 346), ("fi_pud", 6), ("zh_pud", 0)],
)
def test_fuses_every_range_of_the_real_treebanks(shared, name, ranges):
    path = shared / f"ud/{name}-ud-test.conllu.gz"
    split, fused = (read(path, Layout("tags", multiword=choice)) for choice in ("split", "fuse"))
    assert len(split) == len(fused)
    words = [sum(len(row.words) for row in rows) for rows in (split, fused)]
    changed = [row for before, row in zip(split, fused, strict=True) if before.words != row.words]
    assert words[0] - words[1] >= ranges  # a range holds two words or more
    assert bool(changed) == bool(ranges)
    assert all(len(row.words) == len(row.tags) for row in fused)
    assert isinstance(fused[0], Tagged)
