"""How far to believe an explanation: what is measured with further edits, and the report card that shows it."""
