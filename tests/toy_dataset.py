"""A toy dataset that a teacher behind an endpoint writes: its definition, its prompt and its limits."""

from project import ROOT

from maple.data.curation import LanguageLimits
from maple.definitions.dataset import Dataset
from maple.definitions.reading import parse, read_yaml
from maple.study.datasets import StudyDataset, Wordings
from maple.synthesis.recipe import InstructionPrompt

LIMITS = LanguageLimits(script_share=0.5, instruction_words=[1, 150], instruction_input_rouge_l=0.5)
PROMPT = InstructionPrompt(language="eng_Latn", text=read_yaml(ROOT / "config/self_instruct.yaml")["eng_Latn"])
ENDPOINT = {"base_url": "http://127.0.0.1/v1", "model": "m"}
DATASET = {
    "recipe": "self_instruct",
    "teacher": "openai",
    "openai": ENDPOINT,
    "seed": 1,
    "seed_tasks": "embedded",
    "self_instruct": {"rounds": 1, "first_round_requests": 2},
    "curate": LIMITS.params(),
    "mix": {"rows": 10, "alpha": 0.0, "seed": 1, "held_out": 1},
}


def in_study(definition, trusted):
    """A dataset as a study has it; the models of `trusted` make it, by role."""
    parsed = parse(Dataset, definition, "d.yaml")
    makers = dict.fromkeys(trusted, "toy")
    return StudyDataset("d", parsed, [], makers, trusted, {}, 13, Wordings({}, {}, {}))
