"""Tokens whose embedding is trained: their texts in a method's file, and their ids in one base's vocabulary."""

from collections.abc import Iterable

from maple.definitions.method import MethodVariant, PeftVariant
from maple.models.behaviour import ExampleEncoder
from maple.training.preflight import FinetuningError

KEY = "trainable_token_indices"  # PEFT's


def with_token_ids(method: MethodVariant, encoder: ExampleEncoder, new_tags: Iterable[str] = ()) -> MethodVariant:
    """Return the method with the ids of the tokens that its `adapter.trainable_token_indices` names by text.

    A text is an entry of the vocabulary ("<|im_end|>", "▁Nairobi"), or text that is one token. `new_tags` are languages
    of which the base has got a new tag, a token of their code, which an adapter trains as well. Raises FinetuningError
    for another text.
    """
    if not isinstance(method, PeftVariant) or not (texts := [*(method.adapter.get(KEY) or ()), *new_tags]):
        return method
    ids = sorted({_token_id(text, encoder) for text in texts})
    return method.changed(adapter={**method.adapter, KEY: ids})


def _token_id(text: str, encoder: ExampleEncoder) -> int:
    if (token := encoder.tokenizer.token_id(text)) is not None:
        return token
    ids = encoder.piece(text)
    if len(ids) != 1:
        tokens = " ".join(repr(encoder.tokenizer.token(each)) for each in ids)
        raise FinetuningError(
            f"adapter.{KEY}: {text!r} is no token of the base but {len(ids)} ({tokens}), and no new ones are added; "
            "name tokens of its vocabulary (tokenizer.json)"
        )
    return ids[0]
