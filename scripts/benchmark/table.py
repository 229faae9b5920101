"""The table, and how its numbers are written. A row: what, measured, promised, and whether that is kept; None: nothing is promised."""


def sec(seconds):
    return f"{seconds:.2f} s"


def ms(seconds):
    return f"{seconds * 1e3:.2f} ms"


def mb(size_in_bytes):
    return f"{size_in_bytes / 1e6:.2f} MB"


def percent(share):
    return f"{share * 100:.2f} %"


def show(rows):
    heading = ("what", "measured", "promised", "kept")
    words = {True: "yes", False: "NO", None: ""}
    table = [heading, *((what, measured, promised, words[kept]) for what, measured, promised, kept in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heading))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
