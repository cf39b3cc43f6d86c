"""A model of a few hundred numbers with the interface the loop asks for; run as a script it trains in a folder, for
tests that kill it.

python toy.py FOLDER PLAN_AS_JSON [--resume] [--pause SECONDS] [--dropout P] [--out FILE]
"""

import argparse
import json
import sys
import time
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from adapter_stilts.errors import StiltsError
from adapter_stilts.training.devices import processes
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.loop import Run
from adapter_stilts.training.plan import TrainingData, TrainingPlan

ROWS, WORDS, WIDTH, CLASSES = 96, 50, 8, 3


class Toy(nn.Module):
    """A frozen embedding, a trained adapter with dropout, a "fusion" matrix with a penalty, and a head."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        start = torch.Generator().manual_seed(1)
        self.trunk = nn.Parameter(torch.randn(WORDS, WIDTH, generator=start), requires_grad=False)
        self.adapter = nn.Linear(WIDTH, WIDTH)
        self.fusion = nn.Parameter(torch.eye(WIDTH) + 0.1)
        self.head = nn.Linear(WIDTH, CLASSES)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.adapter, self.head):
            layer.weight.data = torch.randn(layer.weight.shape, generator=start) / 3
            layer.bias.data.zero_()
        self.recomputes = False

    def forward(self, batch):
        words = self.trunk[batch["input_ids"]] * batch["attention_mask"][..., None]
        mean = words.sum(1) / batch["attention_mask"].sum(1, keepdim=True)
        return self.head(self.dropout(torch.tanh(self.adapter(mean))) @ self.fusion)

    def loss_parts(self, batch):
        loss = nn.functional.cross_entropy(self(batch).float(), batch["labels"], reduction="sum", ignore_index=-100)
        return (
            loss,
            (batch["labels"] != -100).sum(),
            0.01 * (self.fusion - torch.eye(WIDTH, device=self.fusion.device)).square().sum(),
        )

    def trainable(self):
        return [(name, parameter) for name, parameter in self.named_parameters() if parameter.requires_grad]

    def without_decay(self):
        return [self.fusion]

    def checkpoint_gradients(self, on):
        self.recomputes = on


def rows(number=ROWS, unlabelled=0):
    """Sentences of 3 to 12 words whose label is a function of their words; the first `unlabelled` have none."""
    draw = torch.Generator().manual_seed(2)
    sentences = [
        torch.randint(WORDS, (3 + int(torch.randint(10, (), generator=draw)),), generator=draw) for _ in range(number)
    ]
    labels = [
        -100 if row < unlabelled else int(sentence.float().mean() // 9) % CLASSES
        for row, sentence in enumerate(sentences)
    ]
    return sentences, labels


def toy_data(number=ROWS, unlabelled=0, prepare=None):
    sentences, labels = rows(number, unlabelled)

    def collate(numbers):
        longest = max(len(sentences[row]) for row in numbers)
        ids = torch.zeros(len(numbers), longest, dtype=torch.long)
        mask = torch.zeros(len(numbers), longest, dtype=torch.long)
        for place, row in enumerate(numbers):
            ids[place, : len(sentences[row])] = sentences[row]
            mask[place, : len(sentences[row])] = 1
        return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([labels[row] for row in numbers])}

    return TrainingData([len(sentence) for sentence in sentences], collate, prepare)


def accuracy(model):
    """A real validation: accuracy on every row, without dropout."""
    model.eval()
    batch = toy_data().collate(range(ROWS))
    with torch.no_grad():
        return float((model(batch).argmax(-1) == batch["labels"]).float().mean())


def trained(model):
    return {name: parameter.detach().clone() for name, parameter in model.trainable()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("plan", type=json.loads)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    model = Toy(options.dropout)

    def show(progress):
        sys.stdout.write(f"step {progress.step}\n")
        sys.stdout.flush()
        time.sleep(options.pause)

    with StopSignal() as stop:
        try:
            Run(
                model,
                toy_data(options.rows),
                TrainingPlan(**{"learning_rate": 1e-4, **options.plan}),
                options.folder,
                validate=accuracy if options.validate else None,
                identity="toy",
                progress=show,
                stop=stop,
            ).to_the_end(options.resume)
        except StiltsError as error:
            sys.stdout.write(f"{error}\n")
            raise SystemExit(error.exit_code) from error
    if options.out and processes(torch.device("cpu")).main:
        options.out.write_bytes(safetensors.torch.save(trained(model)))


if __name__ == "__main__":
    main()
