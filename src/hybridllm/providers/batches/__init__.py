"""The providers' batch APIs, one file each."""
