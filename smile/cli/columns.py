"""Tables for a terminal."""


def print_columns(rows) -> None:
    """Rows of texts, the columns of all as wide as they must be."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
