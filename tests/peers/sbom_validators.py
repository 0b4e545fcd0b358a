"""Validates bills of materials with the official libraries: sbom_validators.py FILE...

Prints a line for each thing that is wrong, and ends with 1 then.
"""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document


def cyclonedx(path):
    with open(path, encoding="utf-8") as file:
        error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(file.read())
    return [] if error is None else [str(error)]


def spdx(path):
    try:
        document = parse_file(path)
    except SPDXParsingError as error:
        return error.get_messages()
    return [message.validation_message for message in validate_full_spdx_document(document)]


failed = False
for path in sys.argv[1:]:
    for message in (spdx if path.endswith(".spdx.json") else cyclonedx)(path):
        print(f"{path}: {message}")
        failed = True
sys.exit(failed)
