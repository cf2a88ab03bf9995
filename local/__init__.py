"""The pipeline on this machine: template, state machine and Lambda zips in an emulated AWS.

    python -m local run

`embedded` starts the emulator; `deployment` deploys the template. What the emulator only mocks
is implemented here: `state_machine` gives its interpreter SageMaker's jobs, `training` and
`transform` run the container for them by a runner of `runners`, and `lambda_runtime` runs the zips.
`source` is the shop's database, `show` prints, and `run` does one run with all of them.
"""
