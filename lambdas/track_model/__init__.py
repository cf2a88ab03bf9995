"""Mirror a judged model into an MLflow server, where one is named."""
