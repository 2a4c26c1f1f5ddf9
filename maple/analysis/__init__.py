"""From item scores to intervals, summaries and the answers to a study's questions."""
