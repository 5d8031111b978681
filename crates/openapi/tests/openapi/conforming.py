"""Holds JSON values to a schema of an OpenAPI document: `good` ones must be valid, `bad` ones must not."""

import json
import sys

import jsonschema

given = json.load(sys.stdin)
schema = {**given["document"], "$ref": "#/components/schemas/" + given["of"]}
validator = jsonschema.Draft202012Validator(
    schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
checked = 0
for value in given["good"]:
    for error in validator.iter_errors(value):
        print("refused:", error.json_path, error.message)
    checked += 1
for value in given["bad"]:
    if validator.is_valid(value):
        print("accepted:", json.dumps(value))
    checked += 1
print(checked, "checked")
