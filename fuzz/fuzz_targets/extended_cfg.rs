#![no_main]

#[path = "../bodies/extended_cfg.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
