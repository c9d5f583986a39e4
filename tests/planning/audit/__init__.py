"""The audit: each format, the sums, the rules, the report."""
