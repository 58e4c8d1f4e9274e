"""Physical properties, one module each: a formula and the workflow that computes it."""
