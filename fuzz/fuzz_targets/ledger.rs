//! What an agent finds as its ledger when it starts.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| windlass_windlassd::fuzz::ledger(bytes));
