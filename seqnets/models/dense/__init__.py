"""Heads on named features of any network: class maps, joint maps, classes and boxes."""
