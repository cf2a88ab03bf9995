"""The Lambda functions of the pipeline, a folder each."""
