"""Turns a browser's recording into a locustfile that runs: `loadgen record session.har`.

    har           reads a HAR file, and names what in it can't be used
    exchange      which entries make load, and what each sent and got
    site          which of the recorded sites is the one to load
    fields        the named values of queries and bodies; multipart takes such a body apart
    correlation   finds which earlier answer each token and identifier came from
    secrets       takes out passwords and keys
    content       chooses what to look for in each answer
    source        writes all that as Python expressions
    plugin        puts these together as a har2locust plugin; locustfile.jinja2 is its template
    browser       a session recorded in a browser that is opened for it
    command       the verb

An *exchange* is a request with its answer. A *page* is what a navigation of the browser loaded.
"""
