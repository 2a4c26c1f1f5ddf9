"""The container recipes, read: no engine builds them here."""

import re
import shlex

import pytest
from project import ROOT

DOCKERFILE = (ROOT / "containers/Dockerfile").read_text()
DEFINITION = (ROOT / "containers/maple.def").read_text()
KINDS = ("cpu", "gpu")


def instructions():
    """The Dockerfile's instructions, [(name, arguments)], continued lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in "\n".join(lines).replace("\\\n", "").splitlines()]


def sections():
    """The definition's sections, {name: lines}; its header is ""."""
    found, name = {"": []}, ""
    for line in DEFINITION.splitlines():
        if line.startswith("%"):
            name = line[1:].strip()
            found[name] = []
        elif line.strip() and not line.startswith("#"):
            found[name].append(line.strip())
    return found


def commands(text):
    """The commands of a shell text, in words."""
    return [shlex.split(command) for command in re.split(r"&&|\n", text) if command.strip()]


def of_kind(kind):
    """The commands of both recipes, with the kind filled in."""
    docker = [arguments for name, arguments in instructions() if name == "RUN" and "useradd" not in arguments]
    return (
        [words for text in docker for words in commands(text.replace("${KIND}", kind))],
        commands("\n".join(sections()["post"]).replace("{{ KIND }}", kind)),
    )


def test_every_instruction_is_one_that_docker_knows():
    known = {"FROM", "ARG", "RUN", "COPY", "ENV", "USER", "WORKDIR", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions()} <= known
    assert instructions()[0][0] == "FROM"
    assert set(sections()) == {"", "arguments", "files", "post", "environment", "runscript"}


def test_both_recipes_begin_with_the_same_image_by_its_digest():
    ((_, image), *more) = [each for each in instructions() if each[0] == "FROM"]
    assert not more and re.fullmatch(r"python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", image)
    assert sections()[""] == ["Bootstrap: docker", f"From: {image}"]


def test_what_is_copied_is_there_and_not_ignored():
    (copied,) = [arguments.split() for name, arguments in instructions() if name == "COPY"]
    *files, target = copied
    assert (ROOT / ".dockerignore").read_text().split() == ["*", "!requirements"]
    assert all((ROOT / file).is_file() and file.startswith("requirements/") for file in files)
    in_definition = dict(line.split() for line in sections()["files"])
    assert in_definition == {file: target + file.removeprefix("requirements/") for file in files}


@pytest.mark.parametrize("kind", KINDS)
def test_both_install_the_lock_as_make_does_and_nothing_else(kind):
    docker, apptainer = of_kind(kind)
    assert docker == apptainer
    make = (ROOT / "Makefile").read_text()
    for made, line in (
        ("$(INSTALL) --python .venv/bin/python", "--no-deps --require-hashes -r requirements/{}.txt"),
        (".venv/bin/python $(PIP)", "-r requirements/torch.txt"),
    ):
        assert f"{made} {line.format('$*')}" in make
        expected = f"python -m pip install --no-cache-dir {line.format(kind)}".replace("requirements", "/lock")
        assert expected.split() in docker
    assert sum(words[:4] == ["python", "-m", "pip", "install"] for words in docker) == 2


def test_nothing_runs_as_root_and_nothing_is_secret():
    names = [name for name, _ in instructions()]
    users = [arguments for name, arguments in instructions() if name == "USER"]
    assert users == ["maple"] and names.index("USER") > max(at for at, name in enumerate(names) if name == "RUN")
    for text in (DOCKERFILE, DEFINITION):
        assert not re.search(r"token|secret|password|api_?key|https?://|curl|wget|--trusted-host", text, re.I)


def test_the_kind_may_be_chosen_in_both_and_is_gpu():
    assert ("ARG", "KIND=gpu") in instructions() and sections()["arguments"] == ["KIND=gpu"]
