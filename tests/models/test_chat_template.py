import shutil

import pytest

from maple.definitions.errors import DefinitionError
from maple.definitions.reading import parse
from maple.definitions.teacher import LocalTeacherSettings
from maple.models.chat_template import ChatTemplate, dice_in, names_in
from maple.models.prompt_error import PromptError


@pytest.mark.parametrize(
    "template",
    [
        "{{ ['a', 'b'] | random }}",
        "{{ messages|map('random')|first }}",
        "{% if x %}{{ y |random }}{% endif %}",
        "{% filter random %}ab{% endfilter %}",
        "{{ lipsum(n=1) }}",
        "{% generation %}{{ ['a'] | random }}{% endgeneration %}{% break %}",
    ],
)
def test_dice_are_seen_wherever_they_stand(template):
    assert dice_in(template) in ("random", "lipsum")


@pytest.mark.parametrize(
    "template",
    [
        "random lipsum {# | random #}",
        "{{ message.lipsum }} {{ random }} {{ 'random' }} {{ x == 'random' }}",
        "{% set ns = namespace(a=1) %}{{ strftime_now('%Y') }}{% generation %}{{ x | trim }}{% endgeneration %}",
    ],
)
def test_a_word_is_no_die(template):
    assert dice_in(template) is None


def test_the_switches_of_a_template_are_among_its_names():
    template = "{% if enable_thinking is defined and not enable_thinking %}{{ m.thinking }}{{ messages }}{% endif %}"
    assert "enable_thinking" in names_in(template)
    assert {"thinking", "messages", "reasoning_effort"}.isdisjoint(names_in(template))


def chat(folder, path, template, date="2024-01-01", **arguments):
    shutil.copytree(folder, path / "base")
    (path / "base/chat_template.jinja").write_text(template)
    chat_template = ChatTemplate(path / "base", date, arguments)
    return chat_template.render([{"role": "user", "content": "The sun"}], prompt=True)[0]


@pytest.mark.heavy
def test_a_chat_template_s_today_is_the_day_of_the_setting(toy_base, tmp_path):
    template = (
        "{% macro day() %}{{ strftime_now('%d %b %Y') }}{% endmacro %}"
        "{{ day() }} {{ strftime_now('%H:%M') }} {{ messages[0].content }}"
    )
    for number, (date, day) in enumerate((("2024-01-01", "01 Jan 2024"), ("2025-02-28", "28 Feb 2025"))):
        assert chat(toy_base, tmp_path / str(number), template, date) == f"{day} 00:00 The sun"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ ['Hi', 'Hello'] | random }}", r"draws at random \(random\)"),
        ("{{ messages[0].txt.x }}", "fails"),
        ("{{ raise_exception('no user') }}", r"fails \(no user\)"),
        ("{{ messages[0].content + 1 }}", "fails"),
    ],
)
def test_a_template_with_dice_or_one_that_fails_is_one_line_with_its_folder(toy_base, tmp_path, template, reason):
    with pytest.raises(PromptError, match=rf"/base: the chat template {reason}"):
        chat(toy_base, tmp_path, template)


@pytest.mark.heavy
def test_a_switch_of_a_template_changes_the_prompt_and_an_unknown_one_is_refused(toy_base, tmp_path):
    template = "{{ messages[0].content }}{% if enable_thinking is defined and not enable_thinking %} east{% endif %}"
    assert chat(toy_base, tmp_path / "a", template) == "The sun"
    assert chat(toy_base, tmp_path / "b", template, enable_thinking=False) == "The sun east"
    for name in ("thinking", "messages", "tokenize"):
        with pytest.raises(PromptError, match=rf"template_arguments: .* no switch {name};"):
            chat(toy_base, tmp_path / name, template, **{name: False})


def test_the_day_is_a_text_that_a_calendar_has():
    assert LocalTeacherSettings(model="m").date == "2024-01-01"
    for date in ("2024-02-30", "yesterday", 2024):
        with pytest.raises(DefinitionError, match=r"^d: "):
            parse(LocalTeacherSettings, {"model": "m", "date": date}, "d")
