"""Turns access logs into an experiment: `loadgen mix access.log…`.

    lines       one line of each format to a hit
    reading     files, plain or gzip, as hits in the order of time
    traffic     what is counted of the hits, in bounded memory
    writer      a locustfile with the mix, a profile of arrivals, an experiment
    command     the verb

A *hit* is a line that was read: one request. A *visit* is what one client asked for without a long
pause.
"""
