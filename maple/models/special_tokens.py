"""The special tokens of a Hub-style folder, found wherever transformers finds them."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from maple.runtime.files import read_json

# A token of a vendor's markup that is not flagged as special, such as `<|fim_prefix|>` of Qwen or `<｜User｜>`.
MARKUP = re.compile(r"<[|｜].*[|｜]>", re.DOTALL)


def json_of(path: Path) -> dict:
    """Return what a JSON file holds; empty if it is not there."""
    return read_json(path) if path.is_file() else {}


def special_token(folder: Path, name: str, token_id: Callable[[str], int | None]) -> int | None:
    """Return the id of bos, eos or pad; None if no file of the folder names it.

    The tokenizer's own files come first, then the ids in the model's configs, of which a list's first one counts.
    """
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        token = json_of(folder / file).get(f"{name}_token")
        text = token["content"] if isinstance(token, dict) else token
        if text is not None:
            return token_id(text)
    for file in ("generation_config.json", "config.json"):
        number = json_of(folder / file).get(f"{name}_token_id")
        number = number[0] if isinstance(number, list) and number else number
        if isinstance(number, int):
            return number
    return None


def template_of(folder: Path) -> str:
    """Return the text of the folder's chat templates, all of them; "" if it has none."""
    files = [folder / "chat_template.jinja", *sorted(folder.glob("additional_chat_templates/*.jinja"))]
    stated = json_of(folder / "tokenizer_config.json").get("chat_template") or ""
    return "\n".join([*(path.read_text(encoding="utf-8") for path in files if path.is_file()), json.dumps(stated)])


def has_template(folder: Path) -> bool:
    """Return True if the folder has a chat template."""
    stated = json_of(folder / "tokenizer_config.json").get("chat_template")
    return (folder / "chat_template.jinja").is_file() or bool(stated)


def control_tokens(content: Mapping, folder: Path) -> dict[str, int]:
    """Return the added tokens that a text must not reach by spelling them, {text: id}.

    `content` is that of tokenizer.json. They are those flagged as special, those that the chat template writes, and
    vendors' markup. Other added tokens, such as runs of spaces, are ordinary parts of a text.
    """
    template = template_of(folder)

    def is_control(token: Mapping) -> bool:
        text = token["content"]
        if not text.strip() or text.strip().isalnum():
            return False
        return token.get("special", False) or text in template or MARKUP.fullmatch(text) is not None

    return {token["content"]: token["id"] for token in content.get("added_tokens", ()) if is_control(token)}
