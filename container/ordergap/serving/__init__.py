"""The server. One answer per record, in the order of the request; nothing is learnt here.

server     starts gunicorn
transport  connections and HTTP
app        routes, limits, log and metrics
pages      the page at /, the report, OpenAPI
formats    requests and answers as bytes
"""
