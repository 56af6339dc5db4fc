"""What a run leaves: archive, summary, report, comparison, evaluation."""
