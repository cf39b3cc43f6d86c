import pytest

from adapter_stilts.errors import ConfigError
from adapter_stilts.training.plan import TrainingPlan


def test_has_the_documented_defaults():
    plan = TrainingPlan()
    assert (plan.learning_rate, plan.epochs, plan.warmup, plan.clip, plan.weight_decay) == (1e-4, 3, 0.1, 1.0, 0.01)
    assert (plan.token_budget, plan.accumulation, plan.patience, plan.epsilon) == (2048, 1, 5, 1e-8)


def test_reports_every_mistake_at_once():
    with pytest.raises(ConfigError) as caught:
        TrainingPlan(max_steps=0, learning_rate=float("nan"), warmup=1.0, minutes=0.0, precision="fp8", accumulation=-1)
    parts = ("max_steps is 0", "learning_rate is nan", "warmup is 1.0", "minutes is 0.0", "accumulation is -1", "precision 'fp8' is not one of: fp32")
    for part in parts:
        assert part in str(caught.value)
