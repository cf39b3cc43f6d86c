"""Tagged sentences in their four layouts."""

import pytest
from small_files import read_rows

from adapter_stilts.data.layout import Layout
from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.reading import read
from adapter_stilts.formats.tags import Tagged

CONLLU = """# sent_id = 1
# text = Vámonos al mar
1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_
1\tVamos\tir\tVERB\t_\t_\t0\troot\t_\t_
2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_
3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_
3\ta\ta\tADP\t_\t_\t5\tcase\t_\t_
4\tel\tel\tDET\t_\t_\t5\tdet\t_\t_
5\tmar\tmar\tNOUN\t_\t_\t1\tobl\t_\t_
5.1\tgone\tgo\tVERB\t_\t_\t_\t_\t_\t_

# all of it without tags
1\tx\t_\t_\t_\t_\t0\troot\t_\t_

1\tSí\tsí\tINTJ\t_\t_\t0\troot\t_\tSpaceAfter=No
"""


def test_reads_the_syntactic_words_of_conllu(write):
    assert read_rows(write("es.conllu", CONLLU), "tags") == [
        Tagged("0", ("Vamos", "nos", "a", "el", "mar"), ("VERB", "PRON", "ADP", "DET", "NOUN")),
        Tagged("1", ("Sí",), ("INTJ",)),
    ]


def test_reads_numbered_iob2_and_leaves_comments_out(write):
    text = (
        "# newdoc id = a\n# text = Ada #1\n1\tAda\tB-PER\t-\tx\n2\t#1\tO\t-\t-\n\n# sent_id = b\n1\tParis\tB-LOC\t-\t"
        "-\n"
    )
    assert read_rows(write("en_ewt-ud-dev.iob2.gz", text), "tags") == [
        Tagged("0", ("Ada", "#1"), ("B-PER", "O")),
        Tagged("1", ("Paris",), ("B-LOC",)),
    ]


def test_keeps_words_that_look_like_comments_or_hold_spaces(write):
    text = "#\tO\n#BREAKING\tO\nNew York\tB-LOC\n\nx\tO\n"
    assert read_rows(write("a.conll", text), "tags")[0] == Tagged(
        "0", ("#", "#BREAKING", "New York"), ("O", "O", "B-LOC")
    )
    assert read_rows(write("b.conll", "# O\n10 O\n"), "tags")[0].words == ("#", "10")


def test_keeps_words_with_characters_at_which_python_would_break_lines(write):
    assert read_rows(write("a.conll", "a\u2028b\tO\nc\x85\tO\n"), "tags")[0].words == ("a\u2028b", "c\x85")


def test_reads_the_first_and_last_column_of_conll2003(write):
    text = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n"
    assert read_rows(write("train.txt", text), "tags") == [Tagged("0", ("EU", "rejects"), ("B-ORG", "O"))]


def test_brings_iob1_to_iob2(write):
    text = "Japan I-LOC\nPunk I-MISC\nBand I-MISC\nof O\nIBM I-ORG\nSAP B-ORG\n"
    assert read_rows(write("wikigold.conll", text), "tags")[0].tags == (
        "B-LOC",
        "B-MISC",
        "I-MISC",
        "O",
        "B-ORG",
        "B-ORG",
    )


def test_takes_off_pan_x_language_prefixes(write):
    assert read_rows(write("train", "de:Ada\tB-PER\nde::\tO\n\nde:x\tO\n"), "tags")[0].words == ("Ada", ":")
    assert read_rows(write("other", "de:Ada\tB-PER\nx\tO\n"), "tags")[0].words == ("de:Ada", "x")


def test_reads_unwanted_entities_as_none(write):
    text = "Monday B-DATE\nnight I-DATE\nin O\nLagos B-LOC\n"
    layout = Layout("tags", labels=("O", "B-LOC", "I-LOC"), ignore_labels=("DATE",))
    assert read(write("a.conll", text), layout)[0].tags == ("O", "O", "O", "B-LOC")


def test_refuses_a_tag_outside_the_set_and_names_the_nearest(write):
    with pytest.raises(
        TaskDataError, match=r"label 'B-LOK' is not one of: O, B-LOC(.|\n)*lines 3-4(.|\n)*did you mean 'B-LOC'"
    ):
        read_rows(write("a.conll", "a\tO\n\nb\tO\nc\tB-LOK\n"), "tags", labels=("O", "B-LOC"))


def test_refuses_a_word_without_a_tag(write):
    with pytest.raises(TaskDataError, match=r"a word without a tag: 'Lag'(.|\n)*line 2"):
        read_rows(write("a.conll", "in\tO\nLag"), "tags")


def test_refuses_a_truncated_conllu_row(write):
    with pytest.raises(TaskDataError, match=r"3 columns where CoNLL-U has 10(.|\n)*line 5"):
        read_rows(write("a.conllu", "\n".join(CONLLU.split("\n")[:4]) + "\n2\tnos\tnos"), "tags")


def test_reads_words_without_tags_only_where_told(write):
    path = write("test-de.tsv", "Ada\nsingt\n\nx\n")
    assert read(path, Layout("tags", labelled=False)) == [Tagged("0", ("Ada", "singt"), ()), Tagged("1", ("x",), ())]
    with pytest.raises(TaskDataError, match=r"a word without a tag: 'Ada'(.|\n)*line 1"):
        read(path, Layout("tags"))
