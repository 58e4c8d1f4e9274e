"""From tables of observables to averages, coefficients and their errors."""
