//! Keeps the service alive: two processes that watch each other, because nothing supervises services on the
//! printer.
