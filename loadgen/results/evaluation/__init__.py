"""Pictures and tables from a run's request log and histograms, made after the run.

Importing a module here imports matplotlib, which takes a moment: the command line does so only for
the verbs that draw.
"""
