//! The whole sender against a scripted server, on a clock that the test turns: no socket, no waiting.

mod world;
