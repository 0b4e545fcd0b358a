//! What `octo` is asked on the command line.
