#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| arroba_fuzz::targets::media::target(data));
