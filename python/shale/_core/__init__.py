"""The library, and what all of the package needs to call it."""
