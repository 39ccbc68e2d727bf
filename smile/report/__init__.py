"""What people see of an explanation: sentences, figures, tables, the browser's instrument, and what to cite."""
