"""Why this exists: Pulp 2 hands search criteria on to MongoDB. This is the part of that language that clients of tasks and
content use: equality, $in, $nin, $ne; a list matches if one of its members does."""

from pulp_lab import errors

_OPERATORS = {
    "$in": lambda values, wanted: any(value in wanted for value in values),
    "$nin": lambda values, wanted: not any(value in wanted for value in values),
    "$ne": lambda values, wanted: wanted not in values,
    "$all": lambda values, wanted: all(value in values for value in wanted),
}


def of(body):
    criteria = body.get("criteria") if isinstance(body, dict) else None
    if not isinstance(criteria, dict):
        raise errors.missing_value("criteria")
    return criteria


def select(documents, criteria):
    found = [document for document in documents if match(document, criteria.get("filters") or {})]
    skip = criteria.get("skip") or 0
    return found[skip : skip + criteria["limit"]] if criteria.get("limit") else found[skip:]


def match(document, filters):
    return all(_holds(document.get(name), wanted) for name, wanted in filters.items())


def _holds(value, wanted):
    values = value if isinstance(value, list) else [value]
    if not isinstance(wanted, dict):
        return wanted in values or wanted == value
    unknown = set(wanted) - set(_OPERATORS)
    if unknown:
        raise errors.invalid_value("filters")
    return all(_OPERATORS[operator](values, operand) for operator, operand in wanted.items())
