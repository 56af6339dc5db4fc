"""What every part uses and what knows none of them: errors, snapshots, histograms, text, files."""
