"""Protocols executed: directories, locks, results on disk, workers, restarts."""
