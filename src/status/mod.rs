//! What the running service tells about itself: the report, the socket that serves it, and its reader.
