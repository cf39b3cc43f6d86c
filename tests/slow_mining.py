"""The mining of XTREME and LASER, written slowly from its description: a reference for the fast one.

Read both pools; unify repeated texts (in order of first appearance, with the last one's vector); cosine; k neighbours
both ways, the lower number first among equals; ratio margin; the best of its neighbours for each side; both lists by
falling score, greedy, each sentence once, score above 0; then XTREME drops texts that occur twice, jiant gives them
every line.
"""

from __future__ import annotations

import math
import random


def slow_mining(source_texts, source, target_texts, target, duplicates, k=4):
    """{(source line, target line): score}, lines from 0; vectors are lists of numbers; `duplicates` is "drop" or
    "expand"."""
    (names_x, xs), (names_y, ys) = unified(source_texts, source), unified(target_texts, target)
    cosine = [[sum(a * b for a, b in zip(x, y, strict=True)) for y in ys] for x in xs]
    near_x = [sorted(range(len(ys)), key=lambda j, i=i: (-cosine[i][j], j))[:k] for i in range(len(xs))]
    near_y = [sorted(range(len(xs)), key=lambda i, j=j: (-cosine[i][j], i))[:k] for j in range(len(ys))]
    mean_x = [sum(cosine[i][j] for j in near) / len(near) for i, near in enumerate(near_x)]
    mean_y = [sum(cosine[i][j] for i in near) / len(near) for j, near in enumerate(near_y)]

    def score(i, j):
        below = (mean_x[i] + mean_y[j]) / 2
        if below == 0:
            return math.inf if cosine[i][j] > 0 else -math.inf
        return cosine[i][j] / below

    pairs = []
    for i, near in enumerate(near_x):
        best = max(near, key=lambda j, i=i: score(i, j))
        pairs.append((score(i, best), i, best))
    for j, near in enumerate(near_y):
        best = max(near, key=lambda i, j=j: score(i, j))
        pairs.append((score(best, j), best, j))
    kept, used_x, used_y = {}, set(), set()
    for value, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        if i in used_x or j in used_y or value <= 0:
            continue
        used_x.add(i)
        used_y.add(j)
        lines_x = [line for line, text in enumerate(source_texts) if text == names_x[i]]
        lines_y = [line for line, text in enumerate(target_texts) if text == names_y[j]]
        if duplicates == "expand" or len(lines_x) == len(lines_y) == 1:
            for a in lines_x:
                for b in lines_y:
                    kept[a, b] = value
    return kept


def unified(texts, vectors):
    last = {}
    for text, vector in zip(texts, vectors, strict=True):
        last[text] = [float(value) for value in vector]  # a repeated key stays in its first place
    return list(last), list(last.values())


def random_pools(seed):
    """Texts with repeats and their vectors, on both sides: random ones, or for odd seeds such that every cosine is an
    exact eighth and ties are many."""
    draw = random.Random(seed)
    sides = []
    common = [draw.gauss(0, 1) for _ in range(16)]
    for name in "xy":
        rows = draw.randint(4, 14)
        texts = [f"{name} {draw.randint(0, 2 * rows)}" for _ in range(rows)]
        if seed % 2:
            vectors = [[draw.choice((-0.25, 0.25)) for _ in range(16)] for _ in range(rows)]
        else:
            vectors = [[draw.gauss(0, 1) + shift for shift in common] for _ in range(rows)]
            for row in range(min(rows, len(sides[0][1])) // 2 if sides else 0):
                vectors[row] = [a + 0.2 * b for a, b in zip(sides[0][1][row], vectors[row], strict=True)]
            vectors = [[value / math.sqrt(sum(one * one for one in vector)) for value in vector] for vector in vectors]
        sides.append((texts, vectors))
    return (*sides[0], *sides[1])
