"""Is the new model good enough to replace the one in use?"""
