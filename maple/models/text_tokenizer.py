"""A tokenizer for which a text is only ever text: it reaches no control token by spelling it.

Control tokens get names that no text has. A chat template's own are written by these names, and what a message spells
alike stays text; all else is encoded as transformers does.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from maple.models.prompt_error import PromptError
from maple.models.special_tokens import control_tokens, special_token
from maple.runtime.files import read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Two of Unicode's noncharacters, which no text may have: one marks the names of control tokens, the other what a
# message spells like one while a template is rendered.
NAME, SPELLED = "\U0010fffe", "\U0010ffff"
_NONCHARACTERS = str.maketrans({NAME: "\ufffd", SPELLED: "\ufffd"})


def _name(number: int) -> str:
    return f"{NAME}{number}{NAME}"


def _renamed(content: dict, control: dict[str, int]) -> dict:
    """Return the content of tokenizer.json with other names for control tokens, and nothing that merges into one."""
    names = {text: _name(number) for text, number in control.items()}
    model = dict(content["model"])
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(token, token): number for token, number in model["vocab"].items()}
    else:  # a unigram model's: pairs of token and score
        model["vocab"] = [[names.get(token, token), score] for token, score in model["vocab"]]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    if "merges" in model:
        pairs = (merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"])
        model["merges"] = [pair for pair in pairs if "".join(pair) not in names and not names.keys() & set(pair)]
    added = [{**token, "content": names.get(token["content"], token["content"])} for token in content["added_tokens"]]
    plain = {"post_processor": None, "truncation": None, "padding": None}
    return {**content, "model": model, "added_tokens": added, **plain}


@dataclass(frozen=True)
class TextTokenizer:
    """The tokenizer of a Hub-style folder; ids are those of its tokenizer.json.

    The `tokenizers` library is used directly: it loads in a tenth of a second, transformers takes seconds.
    """

    plain: "Tokenizer"
    """Encodes: its control tokens have names that no text has."""
    whole: "Tokenizer"
    """Decodes: the tokenizer as it is."""
    control: dict[str, int]
    """The control tokens, {text: id}."""
    start: tuple[int, ...]
    """What the tokenizer puts before a text by itself: one BOS in most, nothing in some."""
    bos: int | None
    """The token that is named BOS, whether the tokenizer puts it before a text or not."""
    eos: int
    pad: int

    @classmethod
    def of(cls, folder: Path, ends: Sequence[str] = ("eos",)) -> "TextTokenizer":
        """Read the folder's tokenizer. Raises PromptError if it has no EOS: a model must be able to end its answer.

        The EOS is the first of the special tokens `ends` that the tokenizer names: for a model that only reads, sep.
        The padding token is the tokenizer's own, else its unknown token, else the EOS: labels and attention are masked
        by place, so that the model learns to end its answers all the same.
        """
        from tokenizers import Tokenizer

        content = read_json(folder / "tokenizer.json")
        control = control_tokens(content, folder)
        plain = Tokenizer.from_str(json.dumps(_renamed({"added_tokens": [], **content}, control), ensure_ascii=False))
        whole = Tokenizer.from_file(str(folder / "tokenizer.json"))
        whole.no_padding()
        whole.no_truncation()
        if lost := [text for text, number in control.items() if plain.token_to_id(_name(number)) != number]:
            raise PromptError(f"{folder}/tokenizer.json: {lost[0]!r} has another id than the file says; save it again")

        bos, pad, unk, *named = (
            special_token(folder, name, whole.token_to_id) for name in ("bos", "pad", "unk", *ends)
        )
        eos = next((number for number in named if number is not None), None)
        if eos is None:
            raise PromptError(
                f"{folder}/tokenizer_config.json: no {ends[-1]}_token; a model must be able to end its answer: write "
                "eos: with the token's text in the model's file"
            )
        pads = (number for number in (pad, unk, eos) if number is not None)
        return cls(plain, whole, control, starts_with(whole)[0], bos, eos, next(pads))

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text that stands within a prompt or after it: nothing before or after them."""
        return self.plain.encode(_clean(text), add_special_tokens=False).ids

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        """Return what `encode` returns for each of the texts, faster."""
        return [one.ids for one in self.plain.encode_batch(list(map(_clean, texts)), add_special_tokens=False)]

    def encode_texts(self, texts: Sequence[str]) -> tuple[list[int], list[int]]:
        """Return the tokens of one or two texts as the tokenizer puts them into a row, and the text of each, 0 or 1.

        The special tokens between and around them are those of the tokenizer's post-processor; nothing is cut.
        """
        first, *second = self.plain.encode_batch(list(map(_clean, texts)), add_special_tokens=False)
        row = self.whole.post_process(first, second[0] if second else None)
        return row.ids, row.type_ids

    def encode_after(self, context: str, text: str) -> list[int]:
        """Return the tokens of a text that follows a context; those of the text alone if the two merge."""
        before = self.encode(context)
        both = self.encode(context + text)
        return both[len(before) :] if both[: len(before)] == before else self.encode(text)

    def spelled(self, text: str) -> str:
        """Return a message as a template may write it: what spells a control token is marked as text."""
        return self._controls.sub(lambda match: f"{SPELLED}{self.control[match[0]]}{SPELLED}", _clean(text))

    def encode_rendered(self, text: str) -> list[int]:
        """Return the tokens of what a chat template has rendered from messages that `spelled` returned."""
        named = self._controls.sub(lambda match: _name(self.control[match[0]]), text)
        texts = {str(number): token for token, number in self.control.items()}
        unmarked = re.sub(f"{SPELLED}([0-9]+){SPELLED}", lambda match: texts[match[1]], named)
        return self.plain.encode(unmarked, add_special_tokens=False).ids

    def controls_in(self, text: str) -> list[tuple[int, int]]:
        """Return the places (start, end) of the control tokens in a rendered text."""
        return [match.span() for match in self._controls.finditer(text)]

    def token_id(self, text: str) -> int | None:
        """Return the id of a token by its text; None for a text that is no token."""
        return self.whole.token_to_id(text)

    def token(self, id: int) -> str | None:
        """Return the text of a token by its id; None for an id that no token has."""
        return self.whole.id_to_token(id)

    def text(self, tokens: list[int]) -> str:
        """Return the text of completion tokens, without special tokens."""
        return self.whole.decode(tokens, skip_special_tokens=True)

    @cached_property
    def _controls(self) -> re.Pattern[str]:
        longest_first = sorted(self.control, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _clean(text: str) -> str:
    return text.translate(_NONCHARACTERS) if NAME in text or SPELLED in text else text


def starts_with(tokenizer: "Tokenizer") -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the tokens that a tokenizer's post-processor puts before a text, and those that it puts after it."""
    alone = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a").ids
    place = next(place for place in range(len(whole)) if whole[place : place + len(alone)] == alone)
    return tuple(whole[:place]), tuple(whole[place + len(alone) :])
