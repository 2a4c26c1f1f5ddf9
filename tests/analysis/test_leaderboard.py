from toy_questions import CELLS, LANGUAGES, base, scores_of, tuned

from maple.analysis.language_groups import language_groups
from maple.analysis.leaderboard import leaderboard, rank_set, terminal_table

STEADY, LUCKY, POOR = 4, 8, 16
SCORES = {STEADY: (60, 60, 60), LUCKY: (50, 50, 68), POOR: (10, 10, 10)}
"""Scores of three ranks with three seeds: one seed of the second is the best run of all."""


def board_of(runs, scores):
    points = {**{run.key: 0.3 for run in runs}, **scores}
    found = scores_of(runs, CELLS, lambda run, *_: points[run.key])
    return leaderboard(found, language_groups(LANGUAGES, (0, 1, 2), {}))


def three_seeds():
    runs = [tuned(rank, seed=seed) for rank in SCORES for seed in (1, 2, 3)]
    scores = {run.key: SCORES[int(run.axes["rank"])][run.seed - 1] / 100 for run in runs}
    return board_of([base(), *runs], scores)


def test_the_luckiest_seed_of_many_does_not_lead():
    board = three_seeds().filter(group="all")
    assert board["rank"].to_list() == [None, STEADY, LUCKY, POOR] and board["seeds"].to_list() == [1, 3, 3, 3]
    assert board["mean"].round(4).to_list() == [0.3, 0.6, 0.56, 0.1]
    assert board["rank_low"].to_list() == [None, 1, 1, 3] and board["rank_high"].to_list() == [None, 2, 2, 3]
    assert board["seed"].to_list() == [0, None, None, None]
    assert set(board["of"][1:]) == {"seeds"}  # the intervals say what other seeds would give


def test_a_setting_is_ranked_over_all_languages_resource_groups_and_english():
    levels = three_seeds().select("kind", "group").unique(maintain_order=True).rows()
    assert levels == [("language", "all"), ("resource", "high"), ("resource", "low"), ("language", "eng_Latn")]


def test_ranks_are_among_all_models_and_among_those_of_one():
    runs = [run for name in ("one", "two") for run in (base(name), tuned(2, model=name), tuned(4, model=name))]
    scores = {run.key: 0.2 * (1 + (run.model == "two") + 2 * (run.axis("rank") == 4)) for run in runs if run.axes}
    board = board_of(runs, scores).filter(group="all").drop_nulls("rank_low")
    ranks = board.select("model", "rank", "rank_low", "rank_high", "rank_low_in_model", "rank_high_in_model").rows()
    assert ranks == [
        ("one", 4, 2, 2, 1, 1), ("one", 2, 4, 4, 2, 2), ("two", 4, 1, 1, 1, 1), ("two", 2, 3, 3, 2, 2)
    ]  # fmt: skip


def test_a_study_of_bases_alone_has_no_ranks():
    board = board_of([base("one"), base("two")], {})
    assert board["rank_low"].null_count() == board.height > 0
    assert "Ranks" not in terminal_table(board)


def test_the_terminal_table_tells_ranks_seeds_and_that_intervals_hold_seeds():
    lines = terminal_table(three_seeds()).splitlines()
    assert "intervals over items and seeds" in lines[0]
    assert [line.split()[3:5] for line in lines[4:]] == [["–", "–"], ["3", "1–2"], ["3", "1–2"], ["3", "3"]]


def test_a_set_of_one_rank_is_that_rank():
    assert [rank_set(1, 3), rank_set(2, 2), rank_set(None, None)] == ["1–3", "2", "–"]
