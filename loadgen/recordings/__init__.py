"""Turns a browser's recording into a locustfile that runs: `loadgen record session.har`.

    har           reads a HAR file, and keeps the requests that make load
    correlation   finds which earlier answer each token and identifier came from
    secrets       takes out passwords and keys
    content       chooses what to look for in each answer
    source        writes all that as Python expressions
    plugin        puts these together as a har2locust plugin; locustfile.jinja2 is its template
    command       the verb

An *exchange* is a request with its answer. A *page* is what a navigation of the browser loaded.
"""
