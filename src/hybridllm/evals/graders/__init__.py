"""The graders, one file each."""
