"""Why this exists: Pulp's errors have a code, a status and data, and look alike in an HTTP body and in a failed task."""


class PulpError(Exception):
    def __init__(self, status, code, description, **data):
        super().__init__(description)
        self.status, self.code, self.description, self.data = status, code, description, data

    def document(self):
        return {"code": self.code, "description": self.description, "data": self.data, "sub_errors": []}


def missing_resource(**resources):
    listed = ", ".join(f"{kind}={key}" for kind, key in sorted(resources.items()))
    return PulpError(404, "PLP0009", f"Missing resource(s): {listed}", resources=resources)


def duplicate(resource_id):
    return PulpError(409, "PLP0018", f"Duplicate resource: {resource_id}", resource_id=resource_id)


def invalid_value(*names):
    return PulpError(400, "PLP0015", f"Invalid properties: {list(names)}", property_names=list(names))


def missing_value(*names):
    return PulpError(400, "PLP0016", f"Missing values for: {list(names)}", missing_property_names=list(names))


def failed(description):
    return PulpError(500, "PLP0000", description)


def describe(error):
    """The `error` object of a failed task, for Pulp's own errors and for any other."""
    if isinstance(error, PulpError):
        return error.document()
    return {"code": "PLP0000", "description": str(error), "data": {}, "sub_errors": []}
