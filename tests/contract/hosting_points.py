"""What the platform's hosting and batch transform ask of a container, a sentence a point.

level  must: the platform breaks without it; expected: users of other images rely on it; nice: more
"""

POINTS = (
    (46, "must", "listens everywhere, on 8080 or SAGEMAKER_BIND_TO_PORT, and on no other port"),
    (47, "must", "/ping is 200 and empty within two seconds, under load too; not before the model"),
    (48, "must", "green long before the platform stops waiting"),
    (49, "expected", "a missing, damaged or foreign model ends the start at once, with one line"),
    (50, "must", "/invocations answers within a minute, connections are taken within 250 ms"),
    (51, "must", "headers that mean nothing here are passed over"),
    (52, "must", "the model's folder is read and never written"),
    (53, "must", "SIGTERM lets requests end, refuses new ones and exits with 0 within 30 seconds"),
    (54, "expected", "Content-Type in any case, with parameters; absent a default; unknown is 415"),
    (55, "expected", "Accept with lists, q-values and wildcards; the type is true; else 406"),
    (56, "expected", "CSV, JSON and JSON Lines both ways; nothing of a request is unpickled"),
    (57, "expected", "each refusal has its status and small JSON; 5xx is for faults of the server"),
    (58, "expected", "an empty body is refused with a reason"),
    (59, "must", "the largest body can be set, is never below what batch was told; more is 413"),
    (60, "expected", "a body may come in chunks, its length unknown"),
    (61, "expected", "custom attributes come back, the inference id is in the log"),
    (62, "nice", "answers in one piece: streams are not offered, and not claimed"),
    (63, "expected", "workers by the container's processors, one thread of arithmetic in each"),
    (64, "expected", "rows out are rows in, in their order; NaN is never written"),
    (65, "nice", "captured requests and answers are text"),
    (66, "must", "the variables of batch transform are understood, in any letter case"),
    (67, "must", "the same request gives the same answer, however often it is sent"),
    (68, "expected", "/execution-parameters tells what the settings say"),
    (69, "must", "any number of lines, with or without a last newline, with CRLF, no header"),
    (70, "must", "a record out for each record in, and one newline at the end"),
    (71, "must", "the answer to a JSON request is an object, as joining it to its input needs"),
    (72, "expected", "Accept is kept to in batch transform"),
    (73, "expected", "on demand, a bad record gets a placeholder instead of failing the file"),
    (74, "nice", "a batch gives the rows that single requests give, however it is split"),
)  # fmt: skip
