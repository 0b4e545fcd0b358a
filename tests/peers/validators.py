"""Reads documents with the official libraries: validators.py FILE...

CycloneDX (.cdx.json), SPDX (.spdx.json) and in-toto statements with SLSA provenance (.provenance.json). Prints a line for
each thing that is wrong, and ends with 1 then.
"""

import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
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


def in_toto(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    try:
        # Both refuse fields that the specification does not have.
        statement = json_format.ParseDict(document, statement_pb2.Statement())
        Statement.copy_from_pb(statement).validate()
        provenance = json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
        definition = provenance.build_definition
        for resource in [*definition.resolved_dependencies, *provenance.run_details.byproducts]:
            ResourceDescriptor.copy_from_pb(resource).validate()
    except (json_format.ParseError, KeyError, ValueError) as error:
        return [str(error)]
    needed = {
        "buildType": definition.build_type,
        "externalParameters": definition.external_parameters,
        "builder.id": provenance.run_details.builder.id,
    }
    return [f"{name} is missing" for name, value in needed.items() if not value]


KINDS = {".spdx.json": spdx, ".cdx.json": cyclonedx, ".provenance.json": in_toto}
failed = False
for path in sys.argv[1:]:
    (validate,) = [kind for ending, kind in KINDS.items() if path.endswith(ending)]
    for message in validate(path):
        print(f"{path}: {message}")
        failed = True
sys.exit(failed)
