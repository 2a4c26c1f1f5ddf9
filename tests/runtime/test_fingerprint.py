import pytest

from maple.runtime import fingerprint as module
from maple.runtime.fingerprint import fingerprint, sources, weights_digest


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


def read(house):
    module._digest_and_imports.cache_clear()
    return fingerprint(house / "script.py", house)


def test_modules_are_found_at_any_depth(house):
    names = {path.relative_to(house).as_posix() for path in sources(house / "script.py", house)}
    assert names == {"script.py", "maple/__init__.py", "maple/a.py", "maple/deep/__init__.py", "maple/deep/b.py"}


@pytest.mark.parametrize("file", ["script.py", "maple/a.py", "maple/deep/b.py"])
def test_a_comment_changes_nothing(house, file):
    before = read(house)
    (house / file).write_text("# a remark\n\n" + (house / file).read_text())
    assert read(house) == before


def test_a_docstring_changes_nothing(house):
    before = read(house)
    for file in ("script.py", "maple/a.py"):
        (house / file).write_text((house / file).read_text().replace("Says", "Tells"))
    assert read(house) == before


@pytest.mark.parametrize("file", ["script.py", "maple/a.py", "maple/deep/b.py"])
def test_an_edit_changes_it(house, file):
    before = read(house)
    (house / file).write_text((house / file).read_text() + "z = 2\n")
    assert read(house) != before


def test_an_edit_elsewhere_changes_nothing(house):
    before = read(house)
    (house / "maple/c.py").write_text("y = 2\n")
    assert read(house) == before


def test_a_template_beside_its_module_counts(house):
    (house / "maple/a.html.jinja").write_text("<p>")
    before = read(house)
    (house / "maple/a.html.jinja").write_text("<b>")
    assert read(house) != before


def test_a_model_is_its_weights_its_configs_and_its_own_code(tmp_path):
    def write(name, content):
        (tmp_path / name).write_text(content)
        return weights_digest(tmp_path)

    write("model.safetensors", "1")
    found = {
        write("config.json", "{}"), write("generation_config.json", '{"eos_token_id": 2}'),
        write("generation_config.json", '{"eos_token_id": [2, 3]}'), write("tokenizer_config.json", "{}"),
        write("modeling.py", "pass"), write("model.safetensors", "2"),
    }  # fmt: skip
    assert len(found) == 6
    assert write("README.md", "words") in found
