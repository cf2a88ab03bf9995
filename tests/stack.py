"""The CloudFormation template, read once, and what it calls the functions."""

from pathlib import Path

from cfnlint.decode.cfn_yaml import load

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = load(str(ROOT / "infra/template.yaml"))
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = {
    "announce": "Announce",
    "extract_orders": "ExtractOrders",
    "judge_model": "JudgeModel",
    "reconcile": "Reconcile",
    "store_predictions": "StorePredictions",
}
