"""A first project: real files in `templates/`, which travel in the wheel as data."""
