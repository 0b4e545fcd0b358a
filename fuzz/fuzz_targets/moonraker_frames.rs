#![no_main]

#[path = "../bodies/moonraker_frames.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
