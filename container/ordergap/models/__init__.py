"""What is carried in model.tar.gz and turns features into forecasts."""
