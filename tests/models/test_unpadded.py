"""Encoder layers without padding: the same logits and gradients, from fewer tokens."""

import pytest
from toy_encoders import ENCODERS, build, with_head

from maple.models import encoder
from maple.models.unpadded import ATTENTION, LAYERS

A, B = 5, 6
pytestmark = pytest.mark.heavy


def batch():
    """A batch of three texts of 5, 2 and 3 tokens."""
    import numpy as np

    from maple.models.example import EncodedExample

    texts = ([A, B, B, A, B], [A, B], [B, B, A])
    return encoder.collate(
        [
            EncodedExample("eng_Latn", np.array(ids), np.array([label]), units=1, segments=np.zeros_like(ids))
            for label, ids in enumerate(texts)
        ],
        0,
    )


@pytest.fixture(scope="module", params=sorted(ENCODERS))
def loaded(request, tmp_path_factory):
    """A tiny classifier of each architecture that is measured."""
    folder = tmp_path_factory.mktemp(request.param)
    return encoder.load(with_head(build(request.param, folder / "base"), folder / "head"), 16).float().eval()


def test_logits_and_gradients_are_those_of_padded_layers(loaded):
    import torch

    found = {}
    for name in (loaded.config._attn_implementation, "sdpa" if loaded._supports_sdpa else "eager"):
        loaded.set_attn_implementation(name)
        loaded.zero_grad()
        losses, rows = encoder.losses(loaded, batch())
        losses.sum().backward()
        assert rows.tolist() == [0, 1, 2]
        found[name] = losses, torch.cat([each.grad.flatten() for each in loaded.parameters() if each.grad is not None])
    used, padded = next(iter(found.values())), [*found.values()][-1]
    assert (used[0] - padded[0]).abs().max() < 1e-5
    assert (used[1] - padded[1]).abs().max() < 1e-4 * padded[1].abs().max()


def test_layers_see_the_ten_tokens_of_the_texts_and_not_the_fifteen_places_of_the_batch(loaded):
    name = LAYERS.get(loaded.config.model_type)
    if name is None:
        assert loaded.config._attn_implementation != ATTENTION
        return
    loaded.set_attn_implementation(ATTENTION)
    seen = []
    layers = getattr(loaded.base_model, name)
    linear = next(module for module in layers.modules() if type(module).__name__ == "Linear")
    handle = linear.register_forward_hook(lambda _, inputs, __: seen.append(tuple(inputs[0].shape[:2])))
    encoder.label_logits(loaded, batch())
    handle.remove()
    assert seen[0] == (1, 10)


def test_a_text_has_the_logits_that_it_has_alone(loaded):
    together = encoder.label_logits(loaded, batch())
    for number, length in enumerate((5, 2, 3)):
        alone = {name: values[number : number + 1] for name, values in batch().items()}
        alone |= {name: alone[name][:, :length] for name in ("input_ids", "attention_mask", "token_type_ids")}
        assert (encoder.label_logits(loaded, alone)[0] - together[number]).abs().max() < 1e-5
