"""A release gate: a hundred files are looked at, a person decides, and a report is published."""
