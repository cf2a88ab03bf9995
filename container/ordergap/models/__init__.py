"""Law: what is carried in model.tar.gz and turns features into survival curves."""
