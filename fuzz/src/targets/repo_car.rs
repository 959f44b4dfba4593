//! Whole repositories.

use arroba_core::car::Limits;
use arroba_core::repo::verify::{self, CarLimits};

use crate::{fixtures, repository, reseal};

/// A repository is checked as it is, and sealed anew; with and without holding records the verdict is the same.
pub fn target(data: &[u8]) {
    for file in [data.to_vec(), reseal::reseal(data)] {
        let [held, hashed] = [true, false].map(|hold_records| {
            let limits = CarLimits {
                file: Limits::SLICE,
                max_held_bytes: 4 << 20,
                max_records: 10_000,
                hold_records,
                check_records: true,
            };
            verify::car(&file, &repository::owner(), &repository::public_key(), limits)
        });
        assert_eq!(held.ok(), hashed.ok());
    }
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![repository::file(1), repository::file(4), repository::file(12)];
    seeds.extend(fixtures::read("arroba/snarfed2.car"));
    seeds
}
