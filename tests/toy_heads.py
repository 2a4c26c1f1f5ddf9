"""Tiny encoders with random weights and a head for three labels, one of each architecture, and how they are loaded."""

from pathlib import Path

COMMON = {"vocab_size": 60, "max_position_embeddings": 40, "num_labels": 3}
WIDE = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
}  # fmt: skip
# By transformers' model_type: keys of the config, and the modules that finetuning starts anew.
ENCODERS = {
    "bert": (WIDE, ["bert.pooler", "classifier"]),
    "xlm-roberta": (WIDE, ["classifier"]),
    "albert": (WIDE | {"embedding_size": 32}, ["albert.pooler", "classifier"]),
    "distilbert": ({"dim": 64, "hidden_dim": 128, "n_layers": 2, "n_heads": 4}, ["classifier", "pre_classifier"]),
    "deberta-v2": (WIDE | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}, ["classifier", "pooler"]),
    "modernbert": (WIDE | {"pad_token_id": 0, "global_attn_every_n_layers": 2}, ["classifier", "head"]),
    "electra": (WIDE | {"embedding_size": 32}, ["classifier"]),
}
# What a module of the kind of encoders names: a whole name, or its end.
HEADS = ("classifier", "head", "pooler", "pre_classifier")


def build(model_type: str, folder: Path) -> Path:
    """Save a tiny classifier with random weights, in float32."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **COMMON | ENCODERS[model_type][0])
    config.id2label = {0: "no", 1: "perhaps", 2: "yes"}
    config.label2id = {label: number for number, label in config.id2label.items()}
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder


def load(folder: Path, bits: int = 16):
    """Load a classifier; its head stays unquantized at any bits, by patterns of names."""
    import torch
    from transformers import AutoModelForSequenceClassification, BitsAndBytesConfig

    skipped = [f".*{name}" for name in HEADS]
    quantized = {
        16: None,
        8: BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped),
        4: BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", llm_int8_skip_modules=skipped),
    }[bits]
    more = {} if quantized is None else {"quantization_config": quantized, "device_map": {"": "cpu"}}
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, **more).eval()
    for layer in model.modules():
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False  # as maple.models.precision
    return model


def rows():
    """Return eight texts of ten tokens, and their labels."""
    import torch

    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, COMMON["vocab_size"], (8, 10), generator=generator)
    return ids, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])


def logits(network):
    import torch

    network.eval()
    with torch.inference_mode():
        return network(input_ids=rows()[0]).logits.float().clone()


def learn(network, rate: float, steps: int = 8) -> list[float]:
    """Take steps of Adam on all rows with what is trained in float32; return the losses."""
    import torch

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
    optimizer, losses = torch.optim.AdamW(trained, lr=rate), []
    ids, labels = rows()
    network.train()
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(network(input_ids=ids).logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return losses
