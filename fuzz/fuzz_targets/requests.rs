//! What a client sends to the router.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| windlass_windlassd::fuzz::requests(bytes));
