"""How to drive Ordergap on a SageMaker account: copy what you need."""
