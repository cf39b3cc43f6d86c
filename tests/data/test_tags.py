"""IOB1 to IOB2."""

from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.data.tag_schemes import iob2

ENTITIES = st.lists(st.tuples(st.sampled_from(["PER", "LOC", "O"]), st.integers(1, 3)), max_size=8)


def as_iob2(entities):
    return [
        tag
        for kind, size in entities
        for tag in (["O"] * size if kind == "O" else [f"B-{kind}"] + [f"I-{kind}"] * (size - 1))
    ]


def as_iob1(entities):
    tags, before = [], "O"
    for kind, size in entities:
        if kind == "O":
            tags += ["O"] * size
        else:
            tags += [f"{'B' if before == kind else 'I'}-{kind}"] + [f"I-{kind}"] * (size - 1)
        before = kind
    return tags


@given(ENTITIES)
def test_finds_the_same_entities_in_either_scheme(entities):
    assert list(iob2(as_iob1(entities))) == list(iob2(as_iob2(entities))) == as_iob2(entities)


def test_leaves_tags_without_marks_alone():
    assert iob2(["NOUN", "INTJ", "O", "I-X"]) == ("NOUN", "INTJ", "O", "B-X")
