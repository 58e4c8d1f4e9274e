"""The command line: its help appears before anything heavy is imported."""
