"""Kinds of models, and the facts that planning and model cards need. No model library is imported for them.

Training does not read this table (it imports `maple.models.behaviour`), so that a new line here retrains nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class KindFacts:
    """Facts about a kind of model, known before any job starts."""

    auto_class: str
    """Auto class of transformers that loads it."""
    peft_task: str
    """PEFT's task type."""
    adapts_like: str
    """The kind on which its methods were measured (maple.methods.capabilities): its own, or one with such networks."""
    hub_task: str
    """The Hub's task: `pipeline_tag` of a model card."""
    answer_modes: frozenset[str]
    """Answer modes: generate, rank, classify, blind."""
    engines: tuple[str, ...]
    """Engines that serve it, best first."""
    inputs: frozenset[str]
    """Inputs that an example may have: text, image."""
    packs: bool
    """True if several examples may share a row."""
    answers_untouched: bool
    """True if an untouched base can answer; False if its head is random before finetuning."""
    translates: bool = False
    """True if it learns and answers translations alone, of texts with their languages, and reads no prompts."""
    corpus: str = "corpus"
    """The module of maple.embedded with the texts on which a tiny one is pretrained."""
    needs_head: bool = False
    """True if it learns the labels of one task by a head of its own, which the rule `head` draws for each run."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Named parts that a method can address, {name: prefix of its modules}; empty for a model of one part. A prefix is
    empty where it depends on the architecture (maple.models.vision_parts)."""

    @property
    def sees(self) -> bool:
        """True if an example or a prompt may have pictures."""
        return "image" in self.inputs


# A kind has the name of the module with its behaviour: maple/models/causal.py.
KINDS = {
    "causal": KindFacts(
        auto_class="AutoModelForCausalLM",
        peft_task="CAUSAL_LM",
        adapts_like="causal",
        hub_task="text-generation",
        answer_modes=frozenset({"generate", "rank"}),
        engines=("vllm", "transformers"),
        inputs=frozenset({"text"}),
        packs=True,
        answers_untouched=True,
    ),
    "encoder": KindFacts(
        auto_class="AutoModelForSequenceClassification",
        peft_task="SEQ_CLS",
        adapts_like="encoder",
        hub_task="text-classification",
        answer_modes=frozenset({"classify"}),
        engines=("transformers",),
        inputs=frozenset({"text"}),
        packs=False,
        answers_untouched=False,
        needs_head=True,
        parts={"classifier": "classifier"},
    ),
    "seq2seq": KindFacts(
        auto_class="AutoModelForSeq2SeqLM",
        peft_task="SEQ_2_SEQ_LM",
        adapts_like="seq2seq",
        hub_task="translation",
        answer_modes=frozenset({"generate"}),
        engines=("transformers", "ctranslate2"),
        inputs=frozenset({"text"}),
        packs=False,
        answers_untouched=True,
        translates=True,
        corpus="translations",
    ),
    "vision": KindFacts(
        auto_class="AutoModelForImageTextToText",
        peft_task="CAUSAL_LM",
        adapts_like="vision",
        hub_task="image-text-to-text",
        answer_modes=frozenset({"generate", "rank", "blind"}),
        engines=("vllm", "transformers"),
        inputs=frozenset({"text", "image"}),
        packs=False,
        answers_untouched=True,
        corpus="picture_lessons",
        parts={"language_model": "", "connector": "", "vision_tower": ""},
    ),
}
