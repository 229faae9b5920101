"""Asks the validator of the ansible-core under whose Python this is run what it makes of cases: a file of specs and rules, one of cases
(module, tab, parameters as JSON), one for the answers, a line of JSON each. Needs nothing but that ansible-core.
"""

import json
import sys

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.errors import UnsupportedError


def main(specs, cases, answers):
    with open(specs, encoding="utf-8") as file:
        asked_of = json.load(file)
    validators = {name: ArgumentSpecValidator(spec, **asked_of["rules"].get(name, {})) for name, spec in asked_of["specs"].items()}
    with open(cases, encoding="utf-8") as asked, open(answers, "w", encoding="utf-8") as told:
        for case in asked:
            name, params = case.split("\t", 1)
            told.write(verdict(name, validators[name], json.loads(params)) + "\n")


def verdict(name, validator, params):
    try:
        result = validator.validate(params)
    except Exception as error:  # whatever it raises is the traceback that a real module would end with
        return json.dumps({"ok": False, "crash": type(error).__name__, "msg": str(error), "secrets": []})
    secrets = sorted(map(str, result._no_log_values))
    if result.error_messages:
        msg = result.errors.msg
        if isinstance(result.errors[0], UnsupportedError):
            # As AnsibleModule words it.
            msg = f"Unsupported parameters for ({name}) module: {msg}"
        return json.dumps({"ok": False, "msg": msg, "secrets": secrets})
    return json.dumps({"ok": True, "params": result.validated_parameters, "secrets": secrets}, default=repr)


main(*sys.argv[1:])
