"""What the platform lays out around a training job, and how it stops one."""
