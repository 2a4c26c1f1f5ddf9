"""Kinds of models, and what planning and cards need to know of each. No model library is imported for it.

Jobs do not read this table (they import `maple.models.behaviour`), so that a new line here trains no model anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class KindFacts:
    """What is known of a kind of model before any job starts."""

    auto_class: str
    """transformers' Auto class that loads it."""
    peft_task: str
    """PEFT's name of what it is trained for."""
    hub_task: str
    """The Hub's name of what it is used for: `pipeline_tag` of a model card."""
    answer_modes: frozenset[str]
    """Answer modes: generate, rank."""
    engines: tuple[str, ...]
    """Engines that serve it, best first."""
    inputs: frozenset[str]
    """What an example may hold: text."""
    packs: bool
    """True if several examples may share a row."""
    answers_untouched: bool
    """True if a base answers without finetuning; False if its head is random before."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Named parts that a method may address, {name: prefix of its modules}; empty for a model of one part."""


# The name of a kind is that of its module of behaviour: maple/models/causal.py.
KINDS = {
    "causal": KindFacts(
        auto_class="AutoModelForCausalLM",
        peft_task="CAUSAL_LM",
        hub_task="text-generation",
        answer_modes=frozenset({"generate", "rank"}),
        engines=("vllm", "transformers"),
        inputs=frozenset({"text"}),
        packs=True,
        answers_untouched=True,
    ),
}
