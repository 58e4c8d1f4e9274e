"""The command line; a folder of its own, so that help appears before anything heavy is imported."""
