"""Check that every extracted customer was scored and stored or rejected."""
