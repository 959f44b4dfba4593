//! The lines of the table, in an order in which each finds what it needs.

use std::iter;
use std::ops::Range;

use anyhow::Context as _;

use crate::op::Op;
use crate::race::Race;
use crate::workload::Workload;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Records in the repo before single commits begin, and keys of the tree that is built from nothing.
    pub(crate) records: usize,
    /// Writes in a commit of many.
    pub(crate) batch: usize,
    /// Rounds of each line.
    pub(crate) rounds: usize,
    /// Commits of one record in a round.
    pub(crate) singles: usize,
    /// Keys inserted into the stored tree in a round.
    pub(crate) stored: usize,
    /// Records in a CAR file that is imported.
    pub(crate) imported: usize,
}

impl Sizes {
    pub(crate) const SMOKE: Self =
        Self { records: 60, batch: 15, rounds: 2, singles: 2, stored: 10, imported: 30 };
    pub(crate) const SMALL: Self =
        Self { records: 1_000, batch: 200, rounds: 5, singles: 20, stored: 100, imported: 500 };
    pub(crate) const FULL: Self =
        Self { records: 10_000, batch: 200, rounds: 5, singles: 100, stored: 500, imported: 2_000 };

    /// Records that the lines take in turn.
    pub(crate) const fn all_records(&self) -> usize {
        self.records + 2 * self.rounds * self.singles + self.stored
    }
}

/// Runs all lines.
pub(crate) async fn run(race: &mut Race<'_>, workload: &Workload, sizes: &Sizes) -> anyhow::Result<()> {
    let Sizes { records, batch, rounds, singles, stored, imported } = *sizes;
    let again = |op: Op| iter::repeat_n(op, rounds);
    race.line("insert of a key into a tree", again(Op::Insert { records: 0..records })).await?;

    let mut next = 0;
    let mut take = |count: usize| -> Range<usize> {
        next += count;
        next - count..next
    };
    let many: Vec<_> =
        (0..rounds).map(|_| Op::Commit { records: take(records / rounds), batch, cold: false }).collect();
    let filled = race.line(&format!("commit of {batch} records"), many).await?;
    let after = filled.seq.context("a commit has a number")?;

    let mut single = |cold: bool| -> Vec<_> {
        (0..rounds).map(|_| Op::Commit { records: take(singles), batch: 1, cold }).collect()
    };
    let (warm, cold) = (single(false), single(true));
    race.line("commit of one record", warm).await?;
    let mut commits = rounds * singles;
    if race.has_calls() {
        race.line("commit of one record, cold", cold).await?;
        commits *= 2;
    }

    let free = sizes.all_records() - stored..sizes.all_records();
    race.line("insert of a key, stored tree", again(Op::InsertStored { records: free })).await?;
    race.line(&format!("getRepo of {} records", records + commits), again(Op::Export)).await?;
    race.line("past event to its frame", again(Op::Events { after, count: commits })).await?;
    race.check(&Op::State).await?;

    let directory = tempfile::tempdir()?;
    let imports = (1..=rounds).map(|round| {
        let file = directory.path().join(format!("{round}.car"));
        let did = workload.write_car(u64::try_from(round)?, imported, &file)?;
        Ok(Op::ImportRepo { did: did.to_string(), handle: format!("import{round}.test"), file })
    });
    let imports: Vec<_> = imports.collect::<anyhow::Result<_>>()?;
    race.line(&format!("import of {imported} records"), imports).await?;
    Ok(())
}
