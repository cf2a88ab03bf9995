"""The emulator creates the whole stack, or an error names what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local import deployment
from local.deployment import NotDeployed


def test_short_forms_equal_long_forms(tmp_path: Path):
    template = tmp_path / "template.yaml"
    template.write_text(
        "A: !Ref X\nB: !GetAtt X.Arn\nC: !Sub 's3://${X}'\nD: !If [Y, !Ref X, !Ref AWS::NoValue]\n"
        "E: !Not [!Equals [!Ref X, '']]\n",
        encoding="utf-8",
    )
    assert deployment.load(template) == {
        "A": {"Ref": "X"},
        "B": {"Fn::GetAtt": ["X", "Arn"]},
        "C": {"Fn::Sub": "s3://${X}"},
        "D": {"Fn::If": ["Y", {"Ref": "X"}, {"Ref": "AWS::NoValue"}]},
        "E": {"Fn::Not": [{"Fn::Equals": [{"Ref": "X"}, ""]}]},
    }


def test_a_substitution_without_a_value_is_named():
    with pytest.raises(NotDeployed, match="ImageUri"):
        deployment.substitute('{"Image": "${ImageUri}", "Bucket": "${Bucket}"}', {"Bucket": "b"})


@pytest.mark.xdist_group("embedded-aws")
def test_a_resource_that_the_emulator_skips_is_an_error(aws, monkeypatch):
    monkeypatch.setattr(deployment, "STACK", "incomplete")
    template = {
        "Resources": {
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Alarm": {"Type": "AWS::CloudWatch::Alarm"},
            "Plan": {"Type": "AWS::Backup::BackupPlan", "Properties": {}},
        }
    }
    aws.cloudformation.create_stack(StackName=deployment.STACK, TemplateBody=json.dumps(template))
    try:
        with pytest.raises(NotDeployed, match=r"skipped Plan \(AWS::Backup::BackupPlan\);"):
            deployment._check_complete(aws, template)
    finally:
        aws.cloudformation.delete_stack(StackName=deployment.STACK)
