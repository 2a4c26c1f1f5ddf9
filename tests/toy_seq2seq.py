"""Tiny encoder-decoder models with random weights, one of each architecture, and how they are loaded and trained."""

from pathlib import Path

LIKE_BART = {
    "d_model": 64, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "max_position_embeddings": 64, "dropout": 0.0,
    "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0,
}  # fmt: skip
# By transformers' model_type: keys of the config. M2M100's are NLLB's, mT5's MADLAD's.
TRANSLATORS = {
    "mbart": LIKE_BART,
    "m2m_100": LIKE_BART,
    "mt5": {
        "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "dropout_rate": 0.0,
        "decoder_start_token_id": 0, "tie_word_embeddings": False,
    },
}  # fmt: skip
WORDS = 60


def build(model_type: str, folder: Path) -> Path:
    """Save a tiny encoder-decoder with random weights, in float32."""
    import torch
    from transformers import AutoConfig, AutoModelForSeq2SeqLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, vocab_size=WORDS, **TRANSLATORS[model_type])
    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(folder)
    return folder


def load(folder: Path, bits: int = 16):
    """Load an encoder-decoder as maple does: in float32, its linear layers in 8 or 4 bits."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, BitsAndBytesConfig

    quantized = {
        16: None,
        8: BitsAndBytesConfig(load_in_8bit=True),
        4: BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"),
    }[bits]
    more = {} if quantized is None else {"quantization_config": quantized, "device_map": {"": "cpu"}}
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32, **more).eval()
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False  # as maple.models.precision
    return model


def rows() -> dict:
    """Return eight sources of ten tokens, the last ones padding in some, and eight targets of seven."""
    import torch

    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randint(5, WORDS, (8, length), generator=generator) for length in (10, 7))
    seen = torch.ones_like(source)
    seen[::2, 7:] = 0
    return {"input_ids": source, "attention_mask": seen, "decoder_input_ids": target}


def logits(network):
    import torch

    network.eval()
    with torch.inference_mode():
        return network(**rows()).logits.float().clone()


def learn(network, rate: float, steps: int = 6) -> list[float]:
    """Take steps of Adam on all rows with what is trained in float32; return the losses."""
    import torch

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
    optimizer, losses = torch.optim.AdamW(trained, lr=rate), []
    given = rows()
    words = given["decoder_input_ids"].roll(-1, 1)
    network.train()
    for _ in range(steps):
        found = network(**given).logits.float()
        loss = torch.nn.functional.cross_entropy(found.flatten(0, 1), words.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return losses
