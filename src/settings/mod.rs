//! Settings from every source, merged into one typed value in which each field knows where it came from.
