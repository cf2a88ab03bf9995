"""Extract orders from the shop's database to the files of a training and a transform job."""
