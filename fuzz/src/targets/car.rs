//! CAR files.

use arroba_core::car::{self, Limits, Reader, Writer};

use crate::{fixtures, repository, reseal};

/// Reading at once and in steps agree, also with hashes put right; a file read is a file written.
pub fn target(data: &[u8]) {
    read(data);
    read(&reseal::reseal(data));
}

fn read(file: &[u8]) {
    let whole = car::read_all(file, &Limits::SLICE);
    let mut reader = Reader::new(Limits::SLICE);
    let mut writer = None;
    for piece in file.chunks(1 + file.len() / 7) {
        reader.push(piece);
        while let Some(Ok(block)) = reader.next() {
            assert!(block.cid.matches(&block.data));
            let writer = writer.get_or_insert_with(|| Writer::new(reader.roots().unwrap_or_default()));
            writer.block(&block.cid, &block.data);
        }
    }
    assert_eq!(whole.as_ref().err(), reader.finish().as_ref().err());
    if let (Ok(_), Some(writer)) = (whole, writer) {
        assert_eq!(writer.finish(), file);
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![Writer::new(&[]).finish().to_vec(), repository::file(2), repository::file(8)];
    seeds.extend(fixtures::read("arroba/snarfed2.car"));
    seeds
}
