"""Networks that are trained beside generator and discriminator, one file each.

base.py says what such a network has.
"""
