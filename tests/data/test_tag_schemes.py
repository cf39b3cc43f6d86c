"""Every way to mark entities becomes IOB2; what could be read in two ways is refused. Expected tags are by hand."""

from collections import Counter

import pytest

from adapter_stilts.data.tag_schemes import ENTITIES, scheme_of
from adapter_stilts.errors import TaskDataError


def read(tags, column=ENTITIES):
    scheme = scheme_of(Counter(tags), column, {tag: f"line {tags.index(tag) + 1}" for tag in tags})
    return " ".join(scheme.iob2(tags)), "; ".join(scheme.remarks)


@pytest.mark.parametrize(
    ("written", "expected", "said"),
    [
        ("B-PER I-PER O", "B-PER I-PER O", ""),
        ("I-PER I-PER B-PER O I-LOC I-PER", "B-PER I-PER B-PER O B-LOC B-PER", ""),
        ("U-LOC U-LOC O B-PER I-PER L-PER U-PER", "B-LOC B-LOC O B-PER I-PER I-PER B-PER", "BILOU, read as IOB2"),
        ("S-LOC S-LOC O B-PER E-PER I-PER", "B-LOC B-LOC O B-PER I-PER B-PER", "IOBES, read as IOB2"),
        ("B-PER M-PER E-PER O W-LOC", "B-PER I-PER I-PER O B-LOC", "BMES, read as IOB2"),
        ("b-per i-per o O", "B-per I-per O O", "1 words tagged 'o' are read as O"),
        ("B_LOC I_LOC O B_GPE-X", "B-LOC I-LOC O B-GPE-X", "B_GPE-X, B_LOC, I_LOC read as"),
        ("B:LOC I:LOC O", "B-LOC I-LOC O", "B:LOC, I:LOC read as B-LOC, I-LOC"),
        ("LOC-B LOC-I O", "B-LOC I-LOC O", "the mark is read from the end"),
        ("LOC LOC PER O LOC", "B-LOC I-LOC B-PER O B-LOC", "a run of one type is read as one entity"),
        ("B-PER _ _ B-LOC", "B-PER O O B-LOC", "2 words tagged '_' are read as O"),
        ("B-PER - *", "B-PER O O", "1 words tagged '-' are read as O"),
        ("B I O I", "B I O B", ""),
        ("B M E O S", "B I I O B", "BMES"),
        ("B-Per I-PER O", "B-Per B-PER O", "types that differ in case alone: PER, Per"),
        ("o o", "O O", "2 words tagged 'o' are read as O"),
        ("B-creative-work I-creative-work O", "B-creative-work I-creative-work O", ""),
    ],
)
def test_brings_every_scheme_to_iob2(written, expected, said):
    tags, remarks = read(written.split())
    assert tags == expected
    assert said in remarks
    assert bool(said) == bool(remarks)


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("B-ORG O Doctors'I-ORG", r"no tag: \"Doctors'I-ORG\" among entity tags(.|\n)*line 3"),
        ("B-ORG O 0", r"no tag: '0' among entity tags(.|\n)*line 3"),
        ("B-PER PER O", r"no tag: 'PER'(.|\n)*line 2"),
        ("0 1 2", r"class numbers \(0, 1, 2\)(.|\n)*label_names"),
        ("O B-PER -100", r"the tag -100(.|\n)*line 3"),
        ("NOUN VERB", r"no entity is marked: the tags are NOUN, VERB(.|\n)*'pos'"),
        ("O BPER IPER", r"are BPER, IPER marks and types(.|\n)*line 2"),
        ("B\u2013PER O", r"are B\u2013PER marks and types"),
        ("B-PER \u041e", r"no tag: '\u041e' among entity tags"),
        ("O B-PER|B-LOC", r"several tags in one: 'B-PER\|B-LOC'(.|\n)*line 2"),
    ],
)
def test_refuses_what_could_be_something_else(written, what):
    with pytest.raises(TaskDataError, match=what):
        read(written.split())


@pytest.mark.parametrize("written", ["NOUN X SYM _", "O V O", "S-x NN v-fin", "NN $ $, -LRB-", "0 1 2"])
def test_leaves_parts_of_speech_alone(written):
    assert read(written.split(), "upos") == (written, "")


def test_takes_o_beside_other_tags_for_outside_where_nothing_says_parts_of_speech():
    assert read(["ORG", "O"], "")[0] == "B-ORG O"
