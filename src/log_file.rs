//! The log: lines in UTC, into a file that is rotated by size.
