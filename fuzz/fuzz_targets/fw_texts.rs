#![no_main]

#[path = "../bodies/fw_texts.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::run(bytes));
