//! The data model: DAG-CBOR and its JSON form, on a post of about a kilobyte.

use arroba_core::data::{Cid, cbor, json};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

#[divan::bench]
fn cbor_decode(bencher: Bencher<'_, '_>) {
    let bytes = arroba_bench::post();
    bencher.bench_local(|| cbor::decode(black_box(&bytes)).map(drop));
}

#[divan::bench]
fn cbor_check(bencher: Bencher<'_, '_>) {
    let bytes = arroba_bench::post();
    bencher.bench_local(|| cbor::check(black_box(&bytes)));
}

#[divan::bench]
fn cbor_encode(bencher: Bencher<'_, '_>) {
    let bytes = arroba_bench::post();
    let value = cbor::decode(&bytes).expect("well-formed");
    bencher.bench_local(|| cbor::encode(black_box(&value)));
}

#[divan::bench]
fn json_to_value(bencher: Bencher<'_, '_>) {
    let text = text();
    bencher.bench_local(|| json::from_slice(black_box(&text)).map(drop));
}

#[divan::bench]
fn cbor_to_json(bencher: Bencher<'_, '_>) {
    let bytes = arroba_bench::post();
    bencher.bench_local(|| {
        let mut out = Vec::with_capacity(2048);
        json::from_cbor(black_box(&bytes), &mut out).map(|()| out)
    });
}

fn text() -> Vec<u8> {
    let mut out = Vec::new();
    json::from_cbor(&arroba_bench::post(), &mut out).expect("well-formed");
    out
}

#[divan::bench]
fn cid_of_a_record(bencher: Bencher<'_, '_>) {
    let bytes = arroba_bench::post();
    bencher.bench_local(|| Cid::for_cbor(black_box(&bytes)));
}

#[divan::bench]
fn cid_to_text(bencher: Bencher<'_, '_>) {
    let cid = Cid::for_cbor(b"x");
    bencher.bench_local(|| black_box(cid).to_string());
}
