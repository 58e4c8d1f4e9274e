"""A whole calculation as one YAML file: read with line numbers, checked, planned."""
