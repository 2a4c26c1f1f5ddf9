"""A model whose tokenizer pads with its EOS learns to end its answers: labels are masked by place."""

import json
import shutil

import pytest
from toy_training import EXAMPLES

from maple.models import causal
from maple.models.encoding import Encoder
from maple.models.example import MASKED
from maple.runtime.files import read_json
from maple.training.batches import encode

pytestmark = pytest.mark.heavy


def test_a_model_that_pads_with_its_eos_learns_to_stop(toy_base, tmp_path):
    import torch

    base = shutil.copytree(toy_base, tmp_path / "base")
    config = read_json(base / "tokenizer_config.json") | {"pad_token": "</s>"}
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    encoder = Encoder.of(base)
    assert encoder.pad == encoder.eos
    examples, _ = encode(EXAMPLES, causal, encoder, max_length=128)
    assert len(set(map(len, examples))) > 1  # so that there is padding
    torch.manual_seed(1)
    model = causal.load(base, 16).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    batch = causal.collate(examples, encoder.pad, packing=False)
    assert (batch["labels"] != MASKED).sum() == sum(example.completion_tokens for example in examples)
    for _ in range(60):
        losses, _ = causal.losses(model, batch)
        losses.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    for example in examples:
        logits = causal.completion_logits(model, example)
        ends = logits.argmax(-1).eq(encoder.eos).tolist()
        assert ends == [False] * (len(ends) - 1) + [True]
