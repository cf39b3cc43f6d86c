"""AdapterTrainer, and peft under transformers' Trainer, at work for `training_against_peers.py`, in a process of its
own, since they need other versions:

    python their_training.py WORK TRUNK ROWS.jsonl STEPS ROWS_A_STEP

WORK is what is trained and how: adapters-documented (padded to 128, float32, as the library's first example has it),
adapters-tuned and peft-tuned (padding to the longest row of a batch, rows grouped by length, bf16 autocast). Printed
last, as a line of JSON: tokens that are no padding and seconds of the steps after the first WARM, peak memory in GB,
accuracy on the last VALIDATION rows.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainerCallback, TrainingArguments

WARM, VALIDATION, LONGEST = 3, 1000, 128
LABELS = ("entailment", "neutral", "contradiction")
RATE, REDUCTION, RANK = 1e-3, 16, 8


class Clock(TrainerCallback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *given: Any, **more: Any) -> None:
        self.ends.append(time.perf_counter())


class Counted:
    """A collator that notes how many tokens of a batch are no padding."""

    def __init__(self, collate: Any) -> None:
        self.collate, self.tokens = collate, list[int]()

    def __call__(self, rows: list[dict[str, Any]]) -> Any:
        batch = self.collate(rows)
        self.tokens.append(int(batch["attention_mask"].sum()))
        return batch


def main() -> None:
    work, trunk, path, steps, rows_a_step = sys.argv[1], sys.argv[2], Path(sys.argv[3]), *map(int, sys.argv[4:6])
    torch.manual_seed(13)
    tokenizer = AutoTokenizer.from_pretrained(trunk)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
    padded = {"padding": "max_length"} if work == "adapters-documented" else {}
    read = [tokenizer(row["premise"], row["hypothesis"], truncation=True, max_length=LONGEST, **padded) for row in rows]
    for row, features in zip(rows, read, strict=True):
        features["labels"] = LABELS.index(row["label"])
    train, validation = read[:-VALIDATION], read[-VALIDATION:]
    tuned = {"bf16": True, "group_by_length": True} if not padded else {}
    arguments = TrainingArguments(
        output_dir=str(path.with_suffix(f".{work}")),
        max_steps=steps,
        per_device_train_batch_size=rows_a_step,
        per_device_eval_batch_size=4 * rows_a_step,
        learning_rate=RATE,
        warmup_ratio=0.1,
        logging_steps=10_000,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        seed=13,
        disable_tqdm=True,
        remove_unused_columns=False,
        **tuned,
    )
    clock, counted = Clock(), Counted(DataCollatorWithPadding(tokenizer))
    given = {"args": arguments, "train_dataset": train, "data_collator": counted, "callbacks": [clock]}
    trainer = trainer_of(work, trunk, given)
    trainer.train()
    tokens = sum(counted.tokens[WARM : len(clock.ends)])
    seconds = clock.ends[-1] - clock.ends[WARM - 1]
    found = trainer.predict(validation)
    right = (found.predictions.argmax(-1) == found.label_ids).mean()
    print(json.dumps({"tokens": tokens, "seconds": seconds, "peak_gb": peak(), "accuracy": float(right)}))


def trainer_of(work: str, trunk: str, given: dict[str, Any]) -> Trainer:
    if work.startswith("adapters"):
        from adapters import AdapterTrainer, AutoAdapterModel

        model = AutoAdapterModel.from_pretrained(trunk)
        model.add_adapter("task", config=f"seq_bn[reduction_factor={REDUCTION}]")
        model.add_classification_head("task", num_labels=len(LABELS))
        model.train_adapter("task")
        return AdapterTrainer(model=model, **given)
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    plain = AutoModelForSequenceClassification.from_pretrained(trunk, num_labels=len(LABELS))
    settings = LoraConfig(task_type="SEQ_CLS", r=RANK, lora_alpha=RANK, target_modules=["query", "value"])
    return Trainer(model=get_peft_model(plain, settings), **given)


def peak() -> float:
    """Of this process, in GB, as the kernel of Linux tells it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").split("\n")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


if __name__ == "__main__":
    main()
