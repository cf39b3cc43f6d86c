"""Which column holds words and which tags, in the files that people have; every expected row is read by eye."""

import pytest

from adapter_stilts.errors import TaskDataError
from adapter_stilts.formats.reading import read
from adapter_stilts.tasks.base import tasks


@pytest.fixture
def rows(write):
    """rows(text, task): "word/tag word/tag" of every sentence, and what was said."""

    def rows_of(text, task="ner", name="a.conll"):
        said = []
        examples = read(write(name, text), tasks[task].layout(say=said.append))
        shown = [" ".join(f"{word}/{tag}" for word, tag in zip(row.words, row.tags, strict=True)) for row in examples]
        return shown, "; ".join(said)

    return rows_of


TREEBANK = (
    "# sent_id = 1\n1\tHunde\tHund\tNOUN\tNN\t_\t2\tnsubj\t_\t_\n"
    "2\tbellen\tbellen\tVERB\tVVFIN\t_\t0\troot\t_\t_\n"
)
PLUS = "# global.columns = ID FORM UPOS MY:NER\n1-2\tZum\t_\t_\n1\tZu\tADP\tO\n2\tUlm\tPROPN\tB-LOC\n"
WEBANNO = (
    "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.NE|value\n\n\n#Text=Ina May ging\n1-1\t0-3\tIna\tPER[1]\t\n"
    "1-2\t4-7\tMay\tPER[1]\t\n1-3\t8-12\tging\t_\t\n\n#Text=Ulm\n2-1\t13-16\tUlm\tLOC\t\n"
)


@pytest.mark.parametrize(
    ("task", "text", "expected", "said"),
    [
        ("ner", "0\tIna\tB-PER\n1\tging\tO\n\n0\tUlm\tB-LOC\n", ["Ina/B-PER ging/O", "Ulm/B-LOC"], "column 1 numbers"),
        ("ner", "7 Ina B-PER\n8 ging O\n\n9 Ulm B-LOC\n", ["Ina/B-PER ging/O", "Ulm/B-LOC"], "words are in column 2"),
        ("ner", "s1\tIna\tB-PER\ns1\tging\tO\n\ns2\tUlm\tB-LOC\ns2\t.\tO\n", ["Ina/B-PER ging/O", "Ulm/B-LOC ./O"], ""),
        ("ner", "EU NNP B-NP B-ORG\n1 CD B-NP O\n\n1 CD B-NP O\n", ["EU/B-ORG 1/O", "1/O"], "tags in column 4 of 4"),
        ("pos", "EU NNP B-NP B-ORG\nruft VBZ B-VP O\n", ["EU/NNP ruft/VBZ"], "tags in column 2 of 4"),
        ("pos", "Hunde\tNN\tHund\nbellen\tVV\tbellen\n", ["Hunde/NN bellen/VV"], "tags in column 2 of 3"),
        ("pos", TREEBANK, ["Hunde/NOUN bellen/VERB"], "read as CoNLL-U"),
        ("pos", TREEBANK.replace("\t_\t_\n", "\n"), ["Hunde/NOUN bellen/VERB"], "by its 8 columns"),
        ("pos", TREEBANK.replace("\t", " "), ["Hunde/NOUN bellen/VERB"], "by its 10 columns"),
        ("ner", PLUS, ["Zu/O Ulm/B-LOC"], "tags in column 4"),
        ("pos", PLUS, ["Zu/ADP Ulm/PROPN"], "tags in column 3"),
        ("ner", WEBANNO, ["Ina/B-PER May/I-PER ging/O", "Ulm/B-LOC"], "words are in column 3"),
        ("ner", "1-1\tIna\tB-PER\t\n1-2\tging\tO\t\n", ["Ina/B-PER ging/O"], "words are in column 2"),
        ("ner", "B-Dish\tsoup\nO\tplease\n", ["soup/B-Dish please/O"], "tags in column 1 of 2"),
        ("ner", "word\tpos\tner\nIna\tNE\tB-PER\nging\tVV\tO\n", ["Ina/B-PER ging/O"], "tags in column 3"),
        ("ner", "# id 1\tdomain=x\nIna _ _ B-PER\n# _ _ O\n", ["Ina/B-PER #/O"], "tags in column 4"),
        ("ner", "# id 1 domain=x\nIna _ _ B-PER\n", ["Ina/B-PER"], "tags in column 4"),
        ("ner", "#\tO\n#a\tO\n", ["#/O #a/O"], ""),
        ("ner", "10\u00a0000 O\n\u3000 O\na\x85b O\nUlm B-LOC\n", ["10\u00a0000/O \u3000/O a\x85b/O Ulm/B-LOC"], ""),
        ("ner", "Ina B-PER\n\n\ufeffUlm B-LOC\n", ["Ina/B-PER", "Ulm/B-LOC"], ""),
        ("ner", "Ina\tB-PER\r\r\nging\tO\r\n", ["Ina/B-PER ging/O"], ""),
        ("ner", "Ina\tB-PER\u00a0\nging\tO \n", ["Ina/B-PER ging/O"], ""),
        ("ner", "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nruft VBZ O O\n", ["EU/B-ORG ruft/O"], "column 4"),
        ("ner", "Ina NE x PER\nging VV y O\n", ["Ina/B-PER ging/O"], "column 4 of 4; PER have no B-"),
    ],
)
def test_finds_words_and_tags(rows, task, text, expected, said):
    shown, remarks = rows(text, task)
    assert shown == expected
    assert said in remarks


@pytest.mark.parametrize(
    ("task", "text", "what"),
    [
        ("ner", "EU NNP B-NP B-ORG\nruft VBZ O\nUlm NE B-NP B-LOC\n", r"3 columns where the file has 4(.|\n)*line 2"),
        ("ner", "Ina\tB-PER\rging\tO\r", r"a carriage return inside a line(.|\n)*line 1"),
        ("ner", "0\tB-PER\n1\tO\n", r"two columns, of which the first numbers the rows"),
        ("ner", "1\tIna\tB-PER\tO\n2\tUlm\tB-LOC\tB-X\n", r"columns 3 and 4 of 4 may each hold(.|\n)*columns.tags"),
        ("ner", TREEBANK, r"no column holds entity tags"),
        ("ner", "1\tIna\tB-PER\n1\tging\tO\n2\tUlm\tB-LOC\n", r"the first column tells the sentences"),
        ("ner", "sentence_id\tword\ttag\n1\tIna\tB-PER\n1\tging\tO\n", r"the first column tells the sentences"),
        ("ner", "#Ina\nging O\nUlm B-LOC\n", r"a word without a tag: '#Ina'(.|\n)*line 1"),
        ("pos", 'tokens\ttags\n["Ina", "ging"]\t["NE", "VV"]\n', r"lists where a word and a tag a line(.|\n)*line 2"),
        ("pos", "Ina_NE ging_VV\nUlm_NE ruft_VV\n", r"words joined with their tags"),
        ("ner", "Ina\tB-PER\nging\t\u00a0\n", r"a word without a tag: 'ging(.|\n)*line 2"),
        ("ner", "Ina\tB-PER\nging O\n", r"a word without a tag: 'ging O'(.|\n)*line 2"),
        ("ner", WEBANNO.replace("LOC", "LOC|PER"), r"not one type of entity: 'LOC\|PER'(.|\n)*line 11"),
        ("ner", "Ina B-PER\nDoctors'I-ORG 1487\n", r"no tag: '1487'(.|\n)*line 2"),
    ],
)
def test_refuses_what_cannot_be_decided(rows, task, text, what):
    with pytest.raises(TaskDataError, match=what):
        rows(text, task)


def test_takes_the_column_that_is_named(write):
    path = write("a.tsv", "1\tIna\tB-PER\tO\n2\tUlm\tB-LOC\tB-X\n")
    (row,) = read(path, tasks["ner"].layout(columns={"tags": "3"}))
    assert (row.words, row.tags) == (("Ina", "Ulm"), ("O", "B-X"))
    with pytest.raises(TaskDataError, match=r"no column '7'; the columns are: 0 to 3"):
        read(path, tasks["ner"].layout(columns={"tags": "7"}))


@pytest.mark.parametrize(
    ("tokens", "what"),
    [
        ('["a", "b"], "tags": ["B-X", null]', "not a tag: None"),
        ('["a", "b"], "tags": [["B-X"], ["O"]]', r"not a tag: \['B-X'\]"),
        ('["a", "b"], "tags": ["B-X", "O\\nO"]', "a tag with a line break"),
        ('["a", "b"], "tags": ["B-X", ""]', "a word whose tag is empty"),
        ('["a", null], "tags": ["B-X", "O"]', "not a word: None"),
        ('["a", NaN], "tags": ["B-X", "O"]', "not a word: nan"),
        ('["a", "b"], "tags": [true, false]', "not a tag: True"),
        ('["a", "b"], "ner_tags": [1, 0]', "class numbers"),
    ],
)
def test_refuses_lists_that_hold_something_else(rows, tokens, what):
    with pytest.raises(TaskDataError, match=rf"{what}(.|\n)*line 1"):
        rows(f'{{"tokens": {tokens}}}\n', name="a.jsonl")


def test_reads_underscores_beside_entities_as_no_entity_and_leaves_them_out_beside_parts_of_speech(rows):
    text = '{"tokens": ["Ina", "ging"], "tags": ["%s", "_"]}\n'
    assert rows(text % "B-PER", name="a.jsonl") == (["Ina/B-PER ging/O"], "1 words tagged '_' are read as O")
    shown, said = rows(text % "NOUN", "pos", name="a.jsonl")
    assert (shown, said) == (["Ina/NOUN"], "1 words tagged '_' are left out: they have no tag")


def test_leaves_published_tasks_as_their_releases_are(write):
    with pytest.raises(TaskDataError, match="label 'U-LOC' is not one of"):
        read(write("test-de.tsv", "Ulm\tU-LOC\n"), tasks["panx"].layout())


def test_takes_no_names_of_annotators_for_parts_of_speech(rows):
    text = "1\tIna\tB-PER\t-\tmaria\n2\tging\tO\t-\t-\n3\tund\tO\t-\t-\n\n1\tUlm\tO\t-\t-\n"
    assert rows(text)[0] == ["Ina/B-PER ging/O und/O", "Ulm/O"]
    with pytest.raises(TaskDataError, match="may each hold the tags"):
        rows(text, "pos")


def test_takes_of_two_columns_of_lists_the_one_that_the_task_asks_for(rows):
    text = '{"tokens": ["Ina", "ging"], "ner_tags": ["B-PER", "O"], "pos_tags": ["NE", "VV"]}\n'
    assert rows(text, "ner", name="a.jsonl")[0] == ["Ina/B-PER ging/O"]
    assert rows(text, "pos", name="a.jsonl")[0] == ["Ina/NE ging/VV"]
