import time

import pytest

from maple.data.templates import wrong_template
from maple.definitions.task import PromptSpec, TaskSettings
from maple.evaluation.prompts import TaskError, render

ROW = {"id": "a", "text": "It rains.", "label": "wet"}
SPEC = PromptSpec(item="id", prompt="{{ text }}", targets="label", fields=["text"], max_new_tokens=4)
DOUBLED = "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}"
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def rendered(rows=(ROW,), **changes):
    words = {"words": {}, "own": {}, "english": {}}
    settings = TaskSettings(shots=0)
    spec = SPEC.changed(**changes)
    return render(spec, settings, task="toy", language="eng_Latn", rows=rows, words=words)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("prompt", {"prompt": "{{ 'x' * 10**9 }}"}),
        ("prompt", {"prompt": "{{ 10**9 * 'x' }}"}),
        ("prompt", {"prompt": "{{ 10 ** (10 ** 9) }}"}),
        ("prompt", {"prompt": "{{ ['x'] * 10**9 }}"}),
        ("prompt", {"prompt": "{{ 'x' | center(10**10) }}"}),
        ("prompt", {"prompt": "{{ 'x'.ljust(10**10) }}"}),
        ("prompt", {"prompt": "{{ 'x' | center(2 * 10**6) }}"}),
        ("prompt", {"prompt": DOUBLED}),
        ("prompt", {"prompt": ENDLESS}),
        ("prompt", {"prompt": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"}),
        ("prompt", {"prompt": "{{ text.__class__.__mro__ }}"}),
        ("targets", {"targets": "'x' * 10**9"}),
        ("item", {"item": "'x'.ljust(10**10)"}),
        ("choices.wet", {"choices": {"wet": ["{{ 'x' * 10**9 }}"], "dry": ["dry"]}}),
    ],
)
def test_what_takes_too_long_or_too_much_is_an_error_with_file_and_key(key, change):
    begin = time.process_time()
    with pytest.raises(TaskError, match=rf"(config/tasks/toy\.yaml: {key}: .*; write a simpler template)"):
        rendered(**change)
    assert time.process_time() - begin < 20


def test_a_row_s_own_long_text_is_no_bomb():
    assert rendered([ROW | {"text": "word " * 10_000}])["fault"].to_list() == [None]


@pytest.mark.parametrize(
    "template", ["{{ texts | append(1) }}", "{{ items | random }}", "{{ text | trimm }}", "{{ (" * 9]
)
def test_a_template_that_cannot_be_compiled_says_why(template):
    assert wrong_template(template)
    assert wrong_template("{{ text | trim }}") is None


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("{{ lipsum() }}", "'lipsum' is undefined"),
        ("{{ label.append('x') }}", "access to attribute 'append' of 'list' object is unsafe"),
        ("{{ none_here }}", "a template prints no value"),
        ("{{ label }}", "a template prints list"),
        ("{{ text.upper }}", "a template prints builtin_function_or_method"),
        ("{{ text | int + label }}", "unsupported operand"),
        ("{{ self.x() }}", "has no attribute 'x'"),
        ("{{ range(10**9) | list }}", "range too big"),
        ("{% include 'x' %}", "no loader"),
    ],
)
def test_a_template_gets_no_dice_changes_no_row_and_prints_no_python(prompt, reason):
    row = {**ROW, "label": ["wet"], "none_here": None}
    with pytest.raises(TaskError, match=r"config/tasks/toy\.yaml") as error:
        rendered([row], prompt=prompt)
    assert reason in str(error.value).lower()
    assert row["label"] == ["wet"]


def test_a_column_with_the_name_of_an_argument_collides_with_nothing():
    assert rendered([ROW | {"self": "a", "words": "b", "own": "c", "args": "d"}])["fault"].to_list() == [None]
