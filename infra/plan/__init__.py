"""What AWS would say to a deployment, asked before anything is paid for: `python -m infra.plan`.

See docs/decisions/infrastructure.md#a-plan-asks-aws-itself.
"""
