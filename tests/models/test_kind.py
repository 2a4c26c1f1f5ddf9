"""A kind of model is a module that offers what the protocol says, and a line of facts in step with it."""

import inspect
import re
import subprocess
import sys

import pytest
from project import ROOT

from maple.definitions.local_model import HubModel
from maple.methods import peft_method, weights_method
from maple.methods.method import AdaptationMethod, adaptation
from maple.models.behaviour import ModelKind, behaviour_of
from maple.models.kind import KINDS


def parameters(function):
    """Return the names and kinds of a function's parameters, without self."""
    signature = inspect.signature(function)
    return [(name, one.kind) for name, one in signature.parameters.items() if name != "self"]


def functions(protocol):
    return {name: value for name, value in vars(protocol).items() if inspect.isfunction(value) and name[0] != "_"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_of_a_kind_offers_what_the_protocol_says(kind):
    module = behaviour_of(kind)
    for name, function in functions(ModelKind).items():
        assert parameters(getattr(module, name)) == parameters(function), name
    facts = KINDS[kind]
    assert (facts.peft_task, facts.auto_class, facts.packs) == (module.PEFT_TASK, module.AUTO_CLASS, module.PACKS)
    assert facts.corpus == module.CORPUS
    assert module.MEASURE.startswith("bits_per_") and facts.needs_head == bool(module.NEW_HEADS)


@pytest.mark.parametrize("module", [peft_method, weights_method])
def test_a_method_s_module_offers_what_the_protocol_says(module):
    assert adaptation(module.__name__.rsplit(".", 1)[1]) is module
    for name, function in functions(AdaptationMethod).items():
        assert parameters(getattr(module, name)) == parameters(function), name


def test_no_other_module_names_a_class_a_task_a_frame_or_a_type_of_peft_s():
    names = re.compile(r"AutoModelFor|CAUSAL_LM|\bFRAME\b|ADALORA|\bBOFT\b|text-generation")
    homes = {ROOT / "maple/models", ROOT / "maple/methods"}
    others = [path for path in (ROOT / "maple").rglob("*.py") if path.parent not in homes]
    assert [path for path in others if names.search(path.read_text())] == []


def test_models_are_causal_unless_their_file_says_otherwise():
    assert HubModel(hub="a/b", revision="0" * 40).kind == "causal"


@pytest.mark.heavy
@pytest.mark.parametrize("kind", KINDS)
def test_the_libraries_know_the_names_of_a_kind(kind):
    import peft
    import transformers

    assert hasattr(transformers, KINDS[kind].auto_class)
    assert KINDS[kind].peft_task in peft.TaskType.__members__


def test_the_facts_of_kinds_are_read_without_torch():
    code = "import sys, maple.models.kind\nprint(sorted(set(sys.modules) & {'torch', 'transformers', 'peft'}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"
