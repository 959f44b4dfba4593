//! The runner finds what is planted, and the seeds are what they should be.

use std::time::Duration;

use arroba_core::car::{self, Limits};
use arroba_core::repo::verify::{self, CarLimits, Order};
use arroba_fuzz::mutate::{Random, mutate};
use arroba_fuzz::runner::{self, Options, Watchdog};
use arroba_fuzz::targets::{self, Target};
use arroba_fuzz::{repository, reseal};

fn planted(data: &[u8]) {
    assert!(!data.starts_with(b"bug"), "planted");
}

fn seeds() -> Vec<Vec<u8>> {
    vec![b"bux".to_vec()]
}

#[test]
fn a_planted_bug_is_found() {
    let target = Target { name: "planted", run: planted, seeds };
    let options = Options { time: Duration::from_secs(60), ..Options::default() };
    let watchdog = Watchdog::start(options.patience);
    let failure = runner::run(&target, &options, &watchdog).unwrap_err();
    assert!(failure.input.starts_with(b"bug"));
    assert_eq!((failure.target, failure.message.as_str()), ("planted", "planted"));
}

#[test]
fn mutations_repeat_and_are_bounded() {
    let (mut one, mut two) = (Random::new(3), Random::new(3));
    let mut different = 0;
    for _ in 0..1000 {
        let mutated = mutate(b"a seed", b"another", 10, &mut one);
        assert_eq!(mutated, mutate(b"a seed", b"another", 10, &mut two));
        assert!(mutated.len() <= 10);
        different += usize::from(mutated != b"a seed");
    }
    assert!(different > 900);
}

#[test]
fn every_target_takes_its_seeds() {
    for target in targets::ALL {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        for seed in seeds {
            (target.run)(&seed);
        }
    }
}

#[test]
fn seeds_are_sound() {
    let (owner, key) = (repository::owner(), repository::public_key());
    for [first, second] in [repository::commits(1), repository::commits(20)] {
        for commit in [first, second] {
            verify::frame(&commit.event.fill(5), &owner, &key, Order::Relay).unwrap();
        }
    }
    for file in [repository::file(1), repository::file(12)] {
        verify::car(&file, &owner, &key, CarLimits::default()).unwrap();
    }
    for proof in repository::proofs() {
        verify::record_proof(&proof, &owner, &key, &repository::path()).unwrap();
    }
}

/// A changed record changes every CID above it and the signature; sealed anew, the file is sound again.
#[test]
fn sealing_reaches_behind_the_hashes() {
    let (owner, key) = (repository::owner(), repository::public_key());
    let mut file = repository::file(4);
    assert_eq!(reseal::reseal(&file), file);
    let at = file.windows(8).rposition(|window| window == b"number 9").unwrap();
    file[at] = b'N';
    assert!(car::read_all(&file, &Limits::SLICE).is_err());
    verify::car(&reseal::reseal(&file), &owner, &key, CarLimits::default()).unwrap();
}

/// A hang ends the process; so it is tried in one of its own.
#[test]
fn a_hang_ends_the_process() {
    if std::env::var_os("ARROBA_FUZZ_HANG").is_some() {
        let watchdog = Watchdog::start(Duration::from_millis(100));
        let target = Target {
            name: "endless",
            run: |_| loop {
                std::hint::spin_loop()
            },
            seeds,
        };
        let _ = runner::run(&target, &Options::default(), &watchdog);
        unreachable!("the watchdog has ended the process");
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_hang_ends_the_process", "--nocapture"])
        .env("ARROBA_FUZZ_HANG", "1")
        .output()
        .unwrap();
    assert_eq!(child.status.code(), Some(1));
    let message = String::from_utf8_lossy(&child.stderr);
    assert!(message.contains("endless: still running on 627578"), "{message}");
}
