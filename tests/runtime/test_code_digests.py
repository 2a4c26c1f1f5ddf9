import json

import pytest

from maple.runtime.code_digests import CodeDigests


@pytest.fixture
def house(tmp_path):
    """A script that imports maple.a, which imports maple.deep.b inside a function; maple.c stands apart."""
    (tmp_path / "maple" / "deep").mkdir(parents=True)
    files = {
        "script.py": '"""Says."""\nfrom maple.a import f\nf()\n',
        "maple/__init__.py": "",
        "maple/a.py": "def f():\n    '''Says.'''\n    from maple.deep import b\n    return b.x\n",
        "maple/deep/__init__.py": "",
        "maple/deep/b.py": "x = 1\n",
        "maple/c.py": "y = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture(params=["remembered", "read"])
def read(request, house):
    """The digest of the script, in a process that remembers what earlier ones parsed, or that parses all files."""
    memory = house / "memory.json" if request.param == "remembered" else None
    return lambda: CodeDigests(house, memory)("script.py")


def test_imports_are_followed_at_any_depth(house):
    names = {path.relative_to(house).as_posix() for path in CodeDigests(house).sources("script.py")}
    assert names == {"script.py", "maple/__init__.py", "maple/a.py", "maple/deep/__init__.py", "maple/deep/b.py"}


@pytest.mark.parametrize(
    "text",
    [
        "if 1:\n    pass\nelse:\n    import maple.c\n",
        "try:\n    pass\nexcept ValueError:\n    import maple.c\n",
        "try:\n    pass\nfinally:\n    from maple import c\n",
        "match 1:\n    case 2:\n        import maple.c\n",
        "class A:\n    async def f(self):\n        with self:\n            from maple.c import y\n",
    ],
)
def test_an_import_counts_wherever_it_is_written(house, text):
    (house / "script.py").write_text(text)
    assert house / "maple/c.py" in CodeDigests(house).sources("script.py")


@pytest.mark.parametrize("file", ["script.py", "maple/a.py", "maple/deep/b.py"])
def test_a_comment_changes_nothing(house, read, file):
    before = read()
    (house / file).write_text("# a remark\n\n" + (house / file).read_text())
    assert read() == before


def test_a_docstring_changes_nothing(house, read):
    before = read()
    for file in ("script.py", "maple/a.py"):
        (house / file).write_text((house / file).read_text().replace("Says", "Tells"))
    assert read() == before


@pytest.mark.parametrize("file", ["script.py", "maple/a.py", "maple/deep/b.py"])
def test_an_edit_changes_it(house, read, file):
    before = read()
    (house / file).write_text((house / file).read_text() + "z = 2\n")
    assert read() != before


def test_an_import_that_is_added_is_followed(house, read):
    read()
    (house / "maple/a.py").write_text("import maple.c\n")
    before = read()
    (house / "maple/c.py").write_text("y = 2\n")
    assert read() != before


def test_an_edit_elsewhere_changes_nothing(house, read):
    before = read()
    (house / "maple/c.py").write_text("y = 2\n")
    assert read() == before


def test_a_template_beside_its_module_counts(house, read):
    (house / "maple/a.html.jinja").write_text("<p>")
    before = read()
    (house / "maple/a.html.jinja").write_text("<b>")
    assert read() != before


def test_what_is_remembered_says_the_same_as_what_is_read(house):
    memory = house / "memory.json"
    digests = {CodeDigests(house, path)("script.py") for path in (memory, memory, None)}
    assert len(digests) == 1 and memory.is_file()


def test_what_another_version_of_python_parsed_is_parsed_again(house, monkeypatch):
    memory = house / "memory.json"
    CodeDigests(house, memory)("script.py")
    before = json.loads(memory.read_text())["reader"]
    monkeypatch.setattr("sys.version", "4.0")
    CodeDigests(house, memory)("script.py")
    assert json.loads(memory.read_text())["reader"] != before


def test_a_torn_memory_is_made_again(house):
    memory = house / "memory.json"
    digest = CodeDigests(house, memory)("script.py")
    memory.write_text('{"reader": "')
    assert CodeDigests(house, memory)("script.py") == digest
    assert json.loads(memory.read_text())["files"]
