"""A study's tasks: what is rendered and what is measured."""

from collections.abc import Mapping

# What decides a task's prompts and gold answers; its metrics do not.
RENDERING = ("item", "prompt", "targets", "choices", "fields", "repair", "max_new_tokens")


def task_metrics(task: Mapping, answers: list[str], languages: list[str]) -> dict:
    """Return what is measured of a task: its metrics, the headline among them, chance, and the languages."""
    from maple.evaluation.scoring import RANK_METRICS

    generated = "generate" in answers
    return {
        "metrics": [*(task["metrics"] if generated else []), *(RANK_METRICS if "rank" in answers else [])],
        "headline": task["headline"] if generated else next(iter(RANK_METRICS)),
        "chance": task.get("chance"),
        "languages": languages,
    }
