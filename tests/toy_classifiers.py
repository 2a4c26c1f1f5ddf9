"""Toy classifiers as Hub-style folders: BERT, XLM-R and ModernBERT of a few thousand random weights, over ten words."""

import json
from pathlib import Path

WORDS = ["the", "sun", "rises", "sets", "in", "east", "west", "good", "bad", "day"]
LABELS = ("bad", "good", "none")
# The special tokens of each, by the names of tokenizer_config.json, in the order of their ids.
SPECIAL = {
    "bert": {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]"},
    "xlm-roberta": {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>"},
    "modernbert": {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]"},
}
TYPES = tuple(SPECIAL)
# Tokens that fit, special tokens among them. XLM-R counts positions from the id of its padding token on.
POSITIONS = 24


def _save_tokenizer(model_type: str, folder: Path) -> dict[str, int]:
    """Write the tokenizer; return the ids of its special tokens by name."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    special = SPECIAL[model_type]
    ids = {name: number for number, name in enumerate(special)}
    vocabulary = {token: number for number, token in enumerate([*special.values(), *WORDS, "[", "]", "<", "/"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=special["unk"]))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(special.values()))
    cls, sep = special["cls"], special["sep"]
    pair = f"{cls} $A {sep} {sep} $B {sep}" if model_type == "xlm-roberta" else f"{cls} $A {sep} $B:1 {sep}:1"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=pair, special_tokens=[(cls, ids["cls"]), (sep, ids["sep"])]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {f"{name}_token": token for name, token in special.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return ids


def saved(folder: Path, model_type: str = "bert", labels=LABELS, bias=None, seed: int = 0) -> Path:
    """Write a classifier of random weights to `folder`; with `bias`, one that gives every text these logits."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    ids = _save_tokenizer(model_type, folder)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    offset = ids["pad"] + 1 if model_type == "xlm-roberta" else 0
    config = transformers.AutoConfig.for_model(
        model_type,
        **sizes,
        vocab_size=len(SPECIAL[model_type]) + len(WORDS) + 4,
        max_position_embeddings=POSITIONS + offset,
        pad_token_id=ids["pad"],
        bos_token_id=ids["cls"],
        eos_token_id=ids["sep"],
        cls_token_id=ids["cls"],
        sep_token_id=ids["sep"],
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        initializer_range=0.5,  # far apart, so that texts differ in their answers
    )
    torch.manual_seed(seed)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    if bias is not None:
        *_, last = (module for module in model.modules() if getattr(module, "out_features", None) == len(labels))
        with torch.no_grad():
            last.weight.zero_()
            last.bias = torch.nn.Parameter(torch.tensor(bias))
    model.save_pretrained(folder)
    return folder
