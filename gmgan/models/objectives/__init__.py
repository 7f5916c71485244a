"""The losses of generator and discriminator, one file each. base.py says what an objective has."""
