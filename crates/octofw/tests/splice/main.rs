//! The reader and the splicer of squashfs: random trees, damaged images, and the tools of squashfs as a second opinion.
//! The third is the kernel's, which `tests/peers/boot/spliced.rs` asks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod corruption;
mod fixed;
mod model;
mod peers;
mod random;
