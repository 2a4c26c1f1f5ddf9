"""Templates of tasks: Jinja in a sandbox, with bounds on time, memory and length."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, nodes, pass_context
from jinja2.environment import TemplateExpression
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maple.data.cells import LONGEST, CellError, as_text
from maple.runtime.limits import limits
from maple.text.entities import tagged_entities

# What the templates of one row may take; our choice, a thousand times what those of config/tasks/ need.
SECONDS, MEMORY = 5.0, 2**30
_SLOW, _LONG = f"takes more than {SECONDS:g} s on one row", f"makes more than {LONGEST:,} characters of one row"

_T = TypeVar("_T")


class TemplateFault(ValueError):
    """A template that fails on a row; the message says why, `key` is the template's key in the task's file."""

    def __init__(self, key: str, reason: str):
        super().__init__(reason)
        self.key = key


class TemplateLimitError(TemplateFault):
    """A template that would fail on every row: it is beyond a bound, or reaches for what the sandbox forbids."""


class _SizeError(Exception):
    """A value beyond LONGEST."""


@pass_context  # so that nothing is printed while a template is compiled, which no bound watches
def _printable(context: Context, value: object) -> str:
    """Return the text of what a template prints; refuse what Python alone can write, as a method with its address."""
    if isinstance(value, Undefined):
        return str(value)  # says which name is undefined
    try:
        return as_text(value)
    except CellError:
        kind = "no value" if value is None else "not a number" if isinstance(value, float) else type(value).__name__
        raise TypeError(f"a template prints {kind}, where text or a number belongs") from None


def _size(operator: str, left: Any, right: Any) -> int:
    """Return the size of a product or a power: the bits of a whole number, the length of a text or a list."""
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length(), right.bit_length()
        return bits[0] * max(right, 0) if operator == "**" else sum(bits)
    repeated, times = (right, left) if isinstance(left, int) else (left, right)
    return len(repeated) * times if isinstance(repeated, str | list | tuple) and isinstance(times, int) else 0


class _TaskEnvironment(ImmutableSandboxedEnvironment):
    """Jinja without dice, where a product is measured before it is computed: nothing interrupts one.

    Templates are not optimized: that would compute constants, as `10 ** 9`, while a template is compiled.
    """

    intercepted_binops = frozenset(("*", "**"))

    def __init__(self) -> None:
        super().__init__(undefined=StrictUndefined, autoescape=False, optimized=False, finalize=_printable)
        del self.filters["random"], self.globals["lipsum"]
        self.filters["entities"] = tagged_entities

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if _size(operator, left, right) > LONGEST:
            raise _SizeError(operator)
        return super().call_binop(context, operator, left, right)


ENVIRONMENT = _TaskEnvironment()


@cache
def compiled(source: str) -> Template:
    """Return a template. Raises TemplateError for a wrong one, as for a filter that does not exist."""
    return ENVIRONMENT.from_string(source)


@cache
def _expression(source: str) -> TemplateExpression:
    return ENVIRONMENT.compile_expression(source, undefined_to_none=False)


@cache
def names_in(template: str, voice: str) -> frozenset[str]:
    """Return the names that a template reaches by a voice, as in `words.NAME`."""
    return frozenset(
        node.attr
        for node in ENVIRONMENT.parse(template).find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == voice
    )


@cache
def names_used(template: str) -> frozenset[str]:
    """Return the names that a template or an expression in braces uses by themselves, and not as in `words.NAME`."""
    tree = ENVIRONMENT.parse(template)
    used = [node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"]
    reached = [node.node.name for node in tree.find_all(nodes.Getattr) if isinstance(node.node, nodes.Name)]
    for name in reached:
        used.remove(name)
    return frozenset(used)


@contextmanager
def bounded() -> Iterator[None]:
    """Bound the time and the memory of the templates that are rendered in this block."""
    try:
        with limits(SECONDS, MEMORY):
            yield
    except TimeoutError:  # between two templates
        raise TemplateLimitError("prompt", _SLOW) from None


def _result(key: str, compute: Callable[[], _T]) -> _T:
    try:
        return compute()
    except TimeoutError:
        raise TemplateLimitError(key, _SLOW) from None
    except (MemoryError, _SizeError, RecursionError):
        raise TemplateLimitError(key, _LONG) from None
    except SecurityError as error:
        raise TemplateLimitError(key, str(error)) from None
    # A template can raise whatever the methods of its values raise.
    except Exception as error:
        raise TemplateFault(key, str(error) or type(error).__name__) from None


def render_template(key: str, source: str, values: Mapping[str, Any]) -> str:
    """Return the text of a template; `key` is its key in the task's file. Raises TemplateFault."""
    text = _result(key, lambda: compiled(source).render(values))
    if len(text) > LONGEST:
        raise TemplateLimitError(key, _LONG)
    return text


def evaluate(key: str, source: str, values: Mapping[str, Any]) -> Any:
    """Return the value of an expression; `key` is its key in the task's file. Raises TemplateFault."""

    def value() -> Any:
        result = _expression(source)(values)
        return str(result) if isinstance(result, Undefined) else result  # str says which name is undefined

    return _result(key, value)


def wrong_template(source: str) -> str | None:
    """Return why a template cannot be compiled; None if it can."""
    try:
        compiled(source)
    except (TemplateError, RecursionError) as error:
        return str(error) or type(error).__name__
    return None
