"""The pipeline on a laptop: the shipped template, state machine and Lambda zips in an embedded AWS.

    python -m local run

`aws` starts the emulator; `deployment` puts the template into it. What the emulator only pretends
is really done here: `state_machine` gives its interpreter SageMaker's jobs, `training` and
`transform` run the container for them as `runners` say, and `lambda_runtime` runs the zips.
`source` is the shop's database, `show` what the user sees, and `run` puts them in a row.
"""
