//! What a caller asks of the agent by its control socket.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| windlass_windlassd::fuzz::control(bytes));
