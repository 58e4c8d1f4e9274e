"""Celery as the engine: tasks and their answers travel through a broker."""
