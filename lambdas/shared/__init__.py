"""Code that all functions share: errors, settings, events, logs and the layout on S3."""
