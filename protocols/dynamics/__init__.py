"""Everything that steps an OpenMM Context, and the files it writes as it runs."""
