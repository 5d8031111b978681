#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cloudstate_fuzz_targets::path_template(data));
