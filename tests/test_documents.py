"""What the documents name is there: files, functions, links, packages."""

import re
from itertools import chain

import pytest
import yaml
from project import ROOT

DOCUMENTS = sorted(chain(ROOT.glob("*.md"), (ROOT / "docs").glob("*.md"), (ROOT / "config").glob("*.md")))
FOLDERS = (
    "maple",
    "workflow",
    "config",
    "docs",
    "tests",
    "benchmarks",
    "profiles",
    "requirements",
    "envs",
    "containers",
)
PATH = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`")
NAME = re.compile(r"`(\w+)`(?: or `(\w+)`)? in\s+`(maple/[\w/]+\.py)`")
LINK = re.compile(r"\]\(([^)#:]+)(#[^)]+)?\)")
IMAGE_OR_DOCUMENT = (".md", ".png", ".cff", "LICENSE")
PACKAGES = sorted(path.parent.name for path in (ROOT / "maple").glob("*/__init__.py"))


def texts():
    # The changelog tells of files that were there once.
    return [(path, path.read_text(encoding="utf-8")) for path in DOCUMENTS if path.name != "CHANGELOG.md"]


@pytest.mark.parametrize(("document", "text"), texts(), ids=lambda value: getattr(value, "name", ""))
def test_every_path_that_a_document_names_is_there(document, text):
    shown = {path for path in PATH.findall(text)}
    assert not [path for path in shown if not (ROOT / path).exists()]


@pytest.mark.parametrize(("document", "text"), texts(), ids=lambda value: getattr(value, "name", ""))
def test_every_name_that_a_document_places_in_a_module_is_defined_there(document, text):
    for *names, path in NAME.findall(text):
        module = (ROOT / path).read_text(encoding="utf-8")
        for name in filter(None, names):
            assert re.search(rf"^(?:def |class )?{name}\b", module, re.M), f"{document.name}: {name} in {path}"


@pytest.mark.parametrize(("document", "text"), texts(), ids=lambda value: getattr(value, "name", ""))
def test_every_link_between_documents_leads_somewhere(document, text):
    for target, anchor in LINK.findall(text):
        if target.endswith(IMAGE_OR_DOCUMENT):
            linked = document.parent / target
            assert linked.is_file(), target
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.M) if anchor else []
            slugs = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
            assert not anchor or anchor[1:] in slugs, f"{target}{anchor}"


def test_the_map_of_the_readme_and_the_floors_name_every_package():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    architecture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `maple/(\w+)/` \|", readme, re.M)) == PACKAGES
    assert sorted(re.findall(r"^\| \d \| `(\w+)` \|", architecture, re.M)) == PACKAGES


def test_every_package_has_its_page_of_the_api():
    pages = {path.stem for path in (ROOT / "docs/api").glob("*.md")} - {"index"}
    assert sorted(pages) == PACKAGES
    for name in PACKAGES:
        assert f"::: maple.{name}\n" in (ROOT / f"docs/api/{name}.md").read_text()


def test_the_readme_tells_where_a_newcomer_starts():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for question, place in {
        "a prompt becomes tokens": "`Encoder` in `maple/models/encoding.py`",
        "a merge is measured": "`compare` in `maple/training/merging.py`",
        "add a metric": "`maple/metrics/registry.py`",
    }.items():
        assert place in readme.partition(f"**{question}**")[2].partition("|")[0], question


def test_the_site_shows_every_page():
    shown = re.findall(r"[\w/-]+\.md", yaml.safe_dump(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(shown) == sorted(path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
