"""Pictures and tables from a run's request log and histograms, made after the run.

Importing a module here imports matplotlib, which takes a moment: the command line does so only for
the verbs that draw. matplotlib warns where it can't keep its settings and fonts in the user's home.
It then uses a temporary directory, which serves as well, so only its errors are shown.
"""

import logging

logging.getLogger("matplotlib").setLevel(logging.ERROR)
