"""The report: one self-contained HTML page on what a model learnt from and how well it foresees."""
