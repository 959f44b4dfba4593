//! CAR files: round trips, real files, hostile files.

use arroba_core::car::{self, CarError, Limits, Reader, Writer};
use arroba_core::data::{Cid, Codec};
use proptest::prelude::*;

use super::fixtures;

fn file(roots: usize, blocks: &[Vec<u8>]) -> Vec<u8> {
    let root = Cid::for_cbor(b"root");
    let mut writer = Writer::new(&vec![root; roots]);
    assert_eq!(writer.len(), car::header_length(roots));
    for data in blocks {
        let before = writer.len();
        writer.block(&Cid::for_raw(data), data);
        assert_eq!(writer.len() - before, car::section_length(data.len()));
    }
    writer.finish().to_vec()
}

/// Reads in pieces of `step` bytes.
fn read_in_steps(file: &[u8], step: usize, limits: Limits) -> Result<Vec<Vec<u8>>, CarError> {
    let mut reader = Reader::new(limits);
    let mut blocks = Vec::new();
    for piece in file.chunks(step.max(1)) {
        reader.push(piece);
        for block in reader.by_ref() {
            blocks.push(block?.data.to_vec());
        }
    }
    reader.finish()?;
    Ok(blocks)
}

proptest! {
    #![proptest_config(fixtures::cases(64))]

    #[test]
    fn round_trip_in_any_steps(
        blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        roots in 0usize..4,
        step in 1usize..500,
    ) {
        let file = file(roots, &blocks);
        prop_assert_eq!(read_in_steps(&file, step, Limits::SLICE), Ok(blocks.clone()));
        let car = car::read_all(&file, &Limits::SLICE).unwrap();
        prop_assert_eq!(car.roots.len(), roots);
        for data in &blocks {
            prop_assert_eq!(car.blocks.get(&Cid::for_raw(data)).map(|b| b.to_vec()), Some(data.clone()));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1usize..50) {
        let whole = car::read_all(&bytes, &Limits::SLICE).map(|car| car.blocks.len());
        let steps = read_in_steps(&bytes, step, Limits::SLICE).map(|blocks| blocks.len());
        prop_assert_eq!(whole, steps);
    }
}

#[test]
fn every_truncation_is_an_error() {
    let file = file(1, &[vec![1; 10], vec![], vec![2; 200]]);
    let mut whole_sections = vec![car::header_length(1)];
    for data in [10, 0, 200] {
        whole_sections.push(whole_sections[whole_sections.len() - 1] + car::section_length(data));
    }
    for end in 0..=file.len() {
        let expected = if whole_sections.contains(&end) { Ok(()) } else { Err(CarError::Truncated) };
        assert_eq!(car::read_all(&file[..end], &Limits::SLICE).map(drop), expected, "{end}");
        assert_eq!(read_in_steps(&file[..end], 7, Limits::SLICE).map(drop), expected, "{end}");
    }
}

#[test]
fn hostile_files_are_refused() {
    let good = file(1, &[vec![7; 5]]);
    let header = &good[..car::header_length(1)];
    let after = |tail: &[u8]| [header, tail].concat();
    let section = |cid: &[u8], data: &[u8]| {
        let mut section = vec![(cid.len() + data.len()) as u8];
        section.extend_from_slice(cid);
        section.extend_from_slice(data);
        after(&section)
    };
    let raw = Cid::new(Codec::Raw, [9; 32]);
    let read = |file: &[u8]| {
        let whole = car::read_all(file, &Limits::SLICE).map(drop);
        assert_eq!(read_in_steps(file, 3, Limits::SLICE).map(drop), whole);
        whole.unwrap_err()
    };
    assert_eq!(read(&after(&[0xff; 9])), CarError::Varint);
    assert_eq!(read(&after(&[0xff; 20])), CarError::Varint);
    assert_eq!(read(&after(&[0x80, 0x00])), CarError::Varint);
    assert_eq!(read(&after(&[0xff, 0xff, 0xff, 0xff, 0x7f])), CarError::BlockTooLarge(2_000_000));
    assert!(matches!(read(&after(&[0])), CarError::Cid(_)));
    assert_eq!(read(&section(raw.as_bytes(), b"other")), CarError::Hash(raw));
    let identity = [1, 0x55, 0, 3, b'a', b'b', b'c'];
    assert!(matches!(read(&section(&identity, &[0; 40])), CarError::Cid(_)));
    let mut sha512 = raw.to_bytes();
    sha512[2] = 0x13;
    assert!(matches!(read(&section(&sha512, b"x")), CarError::Cid(_)));
    assert_eq!(read(&[0xff, 0xff, 0x7f]), CarError::HeaderTooLarge);
    assert!(matches!(read(&[1, 0xa0]), CarError::Header(_)));
    let mut version_2 = header.to_vec();
    *version_2.last_mut().unwrap() = 2;
    assert_eq!(read(&version_2), CarError::Version(2));
    assert_eq!(read(&file(17, &[])), CarError::TooManyRoots(16));
    assert_eq!(read(b""), CarError::Truncated);
}

#[test]
fn a_header_that_claims_countless_roots_costs_nothing() {
    let mut body = vec![0xa2, 0x65];
    body.extend_from_slice(b"roots");
    body.extend_from_slice(&[0x9b, 0, 0, 1, 0, 0, 0, 0, 0]);
    let mut file = vec![body.len() as u8];
    file.extend_from_slice(&body);
    assert!(matches!(car::read_all(&file, &Limits::SLICE), Err(CarError::Header(_))));
}

#[test]
fn limits_hold() {
    let file = file(1, &[vec![1; 10], vec![2; 10], vec![3; 10]]);
    let limits = |change: fn(&mut Limits)| {
        let mut limits = Limits::SLICE;
        change(&mut limits);
        limits
    };
    let read = |limits: Limits| {
        assert_eq!(read_in_steps(&file, 5, limits).map(drop), car::read_all(&file, &limits).map(drop));
        car::read_all(&file, &limits).map(drop)
    };
    assert_eq!(read(limits(|l| l.max_blocks = 3)), Ok(()));
    assert_eq!(read(limits(|l| l.max_blocks = 2)), Err(CarError::TooManyBlocks(2)));
    assert_eq!(read(limits(|l| l.max_block_bytes = 10)), Ok(()));
    assert_eq!(read(limits(|l| l.max_block_bytes = 9)), Err(CarError::BlockTooLarge(9)));
    assert_eq!(read(limits(|l| l.max_total_bytes = 100)), Err(CarError::TooLarge(100)));
    assert_eq!(read(limits(|l| l.max_roots = 0)), Err(CarError::TooManyRoots(0)));
}

#[test]
fn a_declared_length_is_refused_before_its_bytes_arrive() {
    let mut reader = Reader::new(Limits::SLICE);
    reader.push(&file(1, &[]));
    assert!(reader.next().is_none());
    reader.push(&[0xff, 0xff, 0xff, 0x7f]);
    assert_eq!(reader.next(), Some(Err(CarError::BlockTooLarge(2_000_000))));
    reader.push(&[0; 100]);
    assert!(reader.next().is_none());
    assert_eq!(reader.finish(), Err(CarError::BlockTooLarge(2_000_000)));
}

#[test]
fn real_files() {
    let mut assertions = 0;
    for name in ["indigo/repos/fakermaker.repo.car", "arroba/snarfed2.car"] {
        let Some(bytes) = fixtures::read(name) else { return };
        let car = car::read_all(&bytes, &Limits::REPOSITORY).unwrap();
        assert!(car.blocks.contains_key(&car.roots[0]), "{name}");
        let mut reader = Reader::new(Limits::REPOSITORY);
        let mut writer = Writer::new(&car.roots);
        for piece in bytes.chunks(1000) {
            reader.push(piece);
            for block in reader.by_ref() {
                let block = block.unwrap();
                assert_eq!(car.blocks[&block.cid], block.data);
                writer.block(&block.cid, &block.data);
                assertions += 1;
            }
        }
        reader.finish().unwrap();
        assert_eq!(writer.finish(), bytes, "{name}");
    }
    println!("vectors: car: {assertions} assertions");
}
