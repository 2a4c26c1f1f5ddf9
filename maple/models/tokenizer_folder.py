"""The tokenizer of a base's folder, written so that whoever loads it gets the tokens that a study asks."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maple.definitions.frame import NO_TOKEN
from maple.models.special_tokens import has_template, json_of, special_token, template_of
from maple.models.text_tokenizer import TextTokenizer, starts_with
from maple.models.tiny import BaseError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The files that transformers may write for a tokenizer.
FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "chat_template.jinja"),
)
POST_PROCESSOR_KEYS = ("add_bos_token", "add_eos_token")
# Texts on which tokenizers of different making differ: spaces at either end and in a row, lines, digits,
# letters in one code point and in two, scripts.
PROBES = (
    "a",
    " a  b   c ",
    "### Input:\nHow many?\n\n### Output:\n",
    "12345 1,000.5\t\r\n\n\n- x's\n",
    "Wie heißt du? ¿Qué? Çok iyi, naïve nai\u0308ve ﬁ ①",
    "हिन्दी में क्षेत्र தமிழ் ကျောင်း ខ្មែរ ไทย አማርኛ العَرَبِيَّة עברית",
    "中文，日本語。한국어 👩‍👩‍👧 \u200bx",
)


def prepare_tokenizer(folder: Path, tokens: Mapping[str, str], *, trust_remote_code: bool = False) -> None:
    """Make the tokenizer in `folder` agree with itself: transformers and the `tokenizers` library give the same ids.

    `tokens` are the keys bos, eos and pad of the model's file. What the tokenizer puts before a text stays as it is, or
    becomes `bos`; what it puts after a text is left out, since a prompt has no end. The end of an assistant's turn ends
    an answer as well, and generation_config.json says so. Files that are links are replaced and not written into.

    Raises BaseError for a token that the tokenizer lacks, for a tokenizer that cannot be made to agree, and for ids
    beyond the embedding.
    """
    make_agree(folder, tokens, trust_remote_code)
    _end_turns(folder, trust_remote_code)
    check_ids(folder, json_of(folder / "config.json"))


def make_agree(folder: Path, tokens: Mapping[str, str], trust_remote_code: bool) -> None:
    """Write the tokenizer, where it must be, so that transformers and the `tokenizers` library give the same ids."""
    tokenizer = load_tokenizer(folder, trust_remote_code)
    stated = _name_tokens(tokenizer, folder, tokens)
    if stated or not _agrees(tokenizer, folder):
        _write(tokenizer, folder)
        written = load_tokenizer(folder, trust_remote_code)
        if not _agrees(written, folder):  # its class makes something else of the file; the plain class does not
            _replace(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
            written = load_tokenizer(folder, trust_remote_code)
        if not _agrees(written, folder):
            raise BaseError(
                f"{folder}: transformers makes other tokens of a text than its tokenizer.json says; a model that is "
                "saved with it would ask otherwise than the study; take a copy whose tokenizer.json was saved again"
            )


def load_tokenizer(folder: Path, trust_remote_code: bool) -> Any:
    """Return transformers' tokenizer of a folder; raises BaseError for one that is not that of a tokenizer.json."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    if not (folder / "tokenizer.json").is_file() or not hasattr(tokenizer, "backend_tokenizer"):
        raise BaseError(
            f"{folder}: its tokenizer is Python code of its own, which knows no tokenizer.json; take a model with one"
        )
    return tokenizer


def _name_tokens(tokenizer: Any, folder: Path, tokens: Mapping[str, str]) -> bool:
    """Set the special tokens of the model's file, and those that only a config names; return True if one is new."""
    from tokenizers.processors import TemplateProcessing

    backend = tokenizer.backend_tokenizer
    before = {name: getattr(tokenizer, f"{name}_token") for name in ("bos", "eos", "pad")}
    for name in before:
        text = tokens.get(name)
        if text is None and name == "eos" and before[name] is None:
            number = special_token(folder, name, backend.token_to_id)
            text = None if number is None else backend.id_to_token(number)
        if text is not None and text != NO_TOKEN:
            if backend.token_to_id(text) is None:
                raise BaseError(
                    f"{folder}/tokenizer.json: no token {text!r}; write another {name}: in the model's file"
                )
            setattr(tokenizer, f"{name}_token", text)
    if tokenizer.eos_token is None:
        raise BaseError(f"{folder}: the tokenizer names no EOS; write eos: with its text in the model's file")
    start, end = starts_with(backend)
    if tokens.get("bos") is not None or end:
        if tokens.get("bos") is not None:
            start = () if tokens["bos"] == NO_TOKEN else (tokenizer.bos_token_id,)
        names = [backend.id_to_token(number) for number in start]
        backend.post_processor = TemplateProcessing(
            single=[*names, "$A"], pair=[*names, "$A", "$B"], special_tokens=list(zip(names, start, strict=True))
        )
        return True
    return any(getattr(tokenizer, f"{name}_token") != token for name, token in before.items())


def _agrees(tokenizer: Any, folder: Path) -> bool:
    """Return True if transformers' tokenizer and the file tokenizer.json make the same tokens of texts."""
    from tokenizers import Tokenizer

    plain = Tokenizer.from_file(str(folder / "tokenizer.json"))
    plain.no_padding()
    plain.no_truncation()
    if starts_with(plain)[1]:
        return False
    same_ids = (tokenizer(text)["input_ids"] == plain.encode(text).ids for text in _probes(plain, folder))
    return tokenizer.eos_token_id == special_token(folder, "eos", plain.token_to_id) and all(same_ids)


def _probes(plain: "Tokenizer", folder: Path) -> Iterable[str]:
    """Yield texts, and what stands before and after tokens that a chat template writes."""
    yield from PROBES
    template = template_of(folder)
    for token in plain.get_added_tokens_decoder().values():
        if token.content in template:
            yield from (f"{token.content}\na b", f"{token.content}a", f"a {token.content} b")


def write_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Save transformers' tokenizer to a folder; files that are links are replaced and not written into."""
    for path in (folder / name for name in FILES):
        if path.is_file():  # a link shares its bytes with what was fetched
            shutil.copyfile(path, copy := path.with_name(f".{path.name}"))
            copy.replace(path)
    tokenizer.save_pretrained(folder)


def _write(tokenizer: Any, folder: Path) -> None:
    write_tokenizer(tokenizer, folder)
    # If these keys are there, transformers makes the post-processor anew, with one BOS at most.
    start, _ = starts_with(tokenizer.backend_tokenizer)
    by_key = start in ((), (tokenizer.bos_token_id,))
    values = {"add_bos_token": bool(start), "add_eos_token": False} if by_key else dict.fromkeys(POST_PROCESSOR_KEYS)
    _replace(folder / "tokenizer_config.json", **values)


def _replace(path: Path, **values: object) -> None:
    """Write values into a JSON file, which may be a link; None removes a key."""
    whole = {key: value for key, value in {**json_of(path), **values}.items() if key not in values or value is not None}
    content = json.dumps(whole, ensure_ascii=False, indent=2)
    path.unlink(missing_ok=True)
    path.write_text(f"{content}\n", encoding="utf-8")


def _end_turns(folder: Path, trust_remote_code: bool) -> None:
    """Add the token that ends an assistant's turn to those at which transformers and vLLM end an answer."""
    from maple.models.encoding import Encoder
    from maple.models.prompt_error import PromptError

    if not has_template(folder):
        return
    try:
        end = Encoder.of(folder, "chat", trust_remote_code=trust_remote_code).eos
    except PromptError as error:  # it matters to those alone who ask in turns, and they are told so
        print(f"not to be asked in turns: {error}")
        return
    end_answers_at(end, folder)


def end_answers_at(end: int, folder: Path) -> None:
    """Add a token to those at which transformers and vLLM end an answer."""
    path = folder / "generation_config.json"
    stated = json_of(path).get("eos_token_id", json_of(folder / "config.json").get("eos_token_id"))
    ends = stated if isinstance(stated, list) else [] if stated is None else [stated]
    if end not in ends:
        eos = TextTokenizer.of(folder).eos
        _replace(path, eos_token_id=[*dict.fromkeys([*ends, eos, end])])


def check_ids(folder: Path, config: Mapping, ends: Sequence[str] = ("eos",)) -> None:
    """Refuse tokens beyond the embedding that a text, a frame or the padding could use."""
    size = config.get("vocab_size", (config.get("text_config") or {}).get("vocab_size"))
    if not isinstance(size, int):
        return
    tokenizer = TextTokenizer.of(folder, ends)
    special = {tokenizer.eos, tokenizer.pad, *tokenizer.start}
    template = template_of(folder)
    for text, number in tokenizer.whole.get_vocab(with_added_tokens=True).items():
        unreachable = text in tokenizer.control and number not in special and text not in template
        if number >= size and not unreachable:
            raise BaseError(
                f"{folder}: token {text!r} has the id {number}, and the embedding has {size} rows; take the tokenizer "
                "that belongs to the model, or write another pad: in the model's file, if it is that"
            )
