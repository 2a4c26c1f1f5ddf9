"""Tiny vision-language models, examples with drawn pictures, and a few steps of learning them."""

from pathlib import Path
from typing import Any

from toy_training import TRAINING
from toy_vision import PAD, build, draw, encoder, example

from maple.definitions.method import PeftVariant

ANSWERS = {("circle", "red"): "ab", ("circle", "blue"): "cd", ("square", "red"): "ef", ("square", "blue"): "gh"}


def placed(peft: str, bits: int, adapter: dict, **axes: str) -> PeftVariant:
    """Return a variant with a location or a connector."""
    return PeftVariant(peft=peft, axes={**axes, "bits": bits}, adapter=adapter, training=TRAINING)


def rows(folder: Path, language: str = "eng_Latn") -> list[dict[str, Any]]:
    """Draw four things to `folder`, and return a row that asks for each."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        example(answer, draw(folder / f"{shape}-{colour}.png", shape, colour), language=language)
        for (shape, colour), answer in ANSWERS.items()
    ]


def made(name: str, folder: Path) -> tuple[Path, list[Any]]:
    """Save a tiny model of an architecture, and return its folder and the rows as it reads them."""
    base = build(name, folder / name)
    asked = encoder(name, base)
    return base, [asked.encoded(row) for row in rows(folder / "pictures")]


def batch(examples: list[Any]) -> dict[str, Any]:
    """Return the rows as one micro-batch."""
    from maple.models.vision_pictures import collate

    return collate(examples, PAD, packing=False)


def logits(network: Any, examples: list[Any]) -> Any:
    """Return the logits of all answers, [tokens, vocabulary]."""
    import torch

    from maple.models import vision

    network.eval()
    return torch.cat([vision.completion_logits(network, each) for each in examples])


def learn(network: Any, examples: list[Any], rate: float, steps: int = 8) -> list[float]:
    """Take steps of Adam on all rows with what is trained in float32; return the losses."""
    import torch

    from maple.models import vision

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.data = parameter.data.float()
    optimizer, losses, read = torch.optim.AdamW(trained, lr=rate), [], batch(examples)
    network.train()
    for _ in range(steps):
        loss = vision.losses(network, read)[0].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    network.eval()
    return losses
