"""A market's model at a real-time endpoint of SageMaker, and its updates."""
