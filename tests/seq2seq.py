"""Toy translators: Hub-style folders of NLLB's and M2M100's own classes, which know three sentences by heart."""

import json
from pathlib import Path

SENTENCES = {
    "The sun rises.": {"sw": "Jua linachomoza.", "de": "Die Sonne geht auf."},
    "The moon sets.": {"sw": "Mwezi unatua.", "de": "Der Mond geht unter."},
    "Name a star.": {"sw": "Taja nyota.", "de": "Nenne einen Stern."},
}
CODES = {"sw": "swh_Latn", "de": "deu_Latn", "en": "eng_Latn"}
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def texts() -> list[str]:
    return [text for english, others in SENTENCES.items() for text in (english, *others.values())]


def nllb_tokenizer():
    """NLLB's tokenizer with one token a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import NllbTokenizer

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Metaspace()
    bpe.train_from_iterator(texts() * 9, trainers.BpeTrainer(special_tokens=SPECIAL, vocab_size=400))
    trained = json.loads(bpe.to_str())["model"]
    return NllbTokenizer(vocab=trained["vocab"], merges=[tuple(pair) for pair in trained["merges"]])


def m2m100_tokenizer(folder: Path):
    """M2M100's tokenizer, which reads SentencePiece's own file."""
    import sentencepiece
    from transformers import M2M100Tokenizer

    spm = folder / "trained.model"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts() * 9),
        model_prefix=str(spm.with_suffix("")),
        vocab_size=60,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(spm))
    known = [*SPECIAL, *(piece for piece in map(pieces.id_to_piece, range(len(pieces))) if piece not in SPECIAL)]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({piece: place for place, piece in enumerate(known)}))
    return M2M100Tokenizer(str(vocabulary), str(spm))


def build(folder: Path, tokenizer, names: dict[str, str], token: str) -> Path:
    """Save the tokenizer and a model trained on the sentences; `names` are its languages, `token` how they look."""
    import torch
    from transformers import M2M100Config, M2M100ForConditionalGeneration

    torch.manual_seed(0)
    config = M2M100Config(
        vocab_size=len(tokenizer) + 108,  # M2M100 does not count its hundred languages
        d_model=64,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        max_position_embeddings=64,
        decoder_start_token_id=tokenizer.eos_token_id,
        dropout=0.0,
        attention_dropout=0.0,
        encoder_layerdrop=0.0,
        decoder_layerdrop=0.0,
    )
    model = M2M100ForConditionalGeneration(config)
    tokenizer.src_lang = names["en"]
    english = tokenizer([text for text in SENTENCES for _ in ("sw", "de")], padding=True, return_tensors="pt")
    targets = []
    for others in SENTENCES.values():
        for short, text in others.items():
            language = tokenizer.convert_tokens_to_ids(token.format(names[short]))
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            targets.append(torch.tensor([language, *ids, tokenizer.eos_token_id]))
    labels = torch.nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=-100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(150):
        loss = model(**english, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.16  # the language is a guess among two: 0.14
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
