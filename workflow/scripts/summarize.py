"""Summarize all scores, with intervals and changes against the untouched bases; answer the study's questions."""

from maple.analysis.costs import run_costs
from maple.analysis.domain_scores import domain_scores, method_scores, reference_of
from maple.analysis.item_scores import item_scores
from maple.analysis.language_groups import language_groups
from maple.analysis.leaderboard import leaderboard, terminal_table
from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.evidence import Evidence
from maple.analysis.score_parts import COLUMNS
from maple.analysis.summary import summarize, summarize_by_task, summarize_groups
from maple.definitions.language import Language
from maple.definitions.looks import Looks
from maple.definitions.question import questions_of
from maple.definitions.report import ReportSettings
from maple.definitions.run import Run
from maple.definitions.task import TaskMetrics
from maple.evaluation.clusters import read_clusters
from maple.runtime.files import read_parquet, write_csv, write_json, write_parquet, write_text
from maple.runtime.logs import log_to
from maple.training.provenance import read_held_cards

log_to(snakemake.log[0])
cards = read_held_cards(snakemake.input.cards, snakemake.params.trained_as)
languages = [Language.from_row(row) for row in snakemake.params.languages]
settings, looks = ReportSettings(**snakemake.params.settings), Looks(**snakemake.params.looks)
runs = [Run(**run) for run in snakemake.params.runs]
scores = item_scores(
    (read_parquet(path, COLUMNS) for path in snakemake.input.scores),
    runs,
    tasks={name: TaskMetrics(**task) for name, task in snakemake.params.tasks.items()},
    clusters=read_clusters(snakemake.input.clusters),
)
summary = summarize(scores, settings.confidence)
grouped = language_groups(languages, settings.low_resource_classes, snakemake.params.finetuned_in)
groups = summarize_groups(scores, grouped, settings.confidence)
write_parquet(groups, snakemake.output.groups)
write_parquet(summarize_by_task(scores, grouped, settings.confidence), snakemake.output.groups_by_task)
questions = questions_of(snakemake.params.questions)
costs = run_costs(cards)
answers = answer_questions(
    scores, languages, settings, questions, costs, snakemake.params.finetuned_in, looks, snakemake.params.most_items
)
evidence, reference = Evidence(scores, languages, settings, costs), reference_of(questions.values())
write_parquet(domain_scores(evidence, reference), snakemake.output.domains)
write_parquet(method_scores(evidence, reference), snakemake.output.methods)
write_json(answers.content(), snakemake.output.questions)
board = leaderboard(scores, grouped, settings.confidence)
write_parquet(board, snakemake.output.board)
write_text(terminal_table(board, looks), snakemake.output.leaderboard)
write_csv(summary, snakemake.output.table)
write_parquet(summary, snakemake.output.summary)
