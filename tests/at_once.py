"""Metrics from gold and predictions to a fraction at once, for tests that are about the number alone."""

from adapter_stilts.metrics.answers import squad_text
from adapter_stilts.metrics.labels import accuracy_units
from adapter_stilts.metrics.pairs import pair_units
from adapter_stilts.metrics.squad import answer_units
from adapter_stilts.metrics.tags import chunk_counts, token_units
from adapter_stilts.statistics.intervals import score_of


def accuracy(gold, predicted):
    return score_of(accuracy_units(gold, predicted), "ratio")


def entity_f1(gold, predicted, rule="0.0"):
    return score_of(chunk_counts(gold, predicted, rule), "f1")


def token_accuracy(gold, predicted):
    return score_of(token_units(gold, predicted), "ratio")


def squad_em_f1(gold, predicted, normalise=squad_text):
    units = answer_units(gold, predicted, normalise)
    return score_of(units[:, [0, 2]], "ratio"), score_of(units[:, [1, 2]], "ratio")


def bucc_f1(gold, mined):
    return score_of(pair_units(gold, mined), "f1") if gold or mined else 0.0
