//! Both write at once, to repos of their own and to the same ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arroba::HostError;
use arroba::core::syntax::Did;
use serde::Deserialize;
use serde_json::json;

use super::accounts::{create, delete};
use super::follower::{Follower, Seen};
use super::side::{Setup, Side};

/// Repos of each program, and those of both.
const OWN: u64 = 12;
const SHARED: u64 = 4;
/// Tasks here, threads there.
const WRITERS: usize = 4;
/// Every so manieth commit goes to a repo of both.
const EVERY: usize = 8;

/// How often one of our tasks commits at most: about twice what the Python library manages. Whoever is several hundred numbers ahead is
/// past the 300 that its collector looks back, and it would leave out what its own writers are still at.
const PACE: Duration = Duration::from_millis(250);

/// A write that was acknowledged: DID, key, action, commit, seq.
type Acknowledged = (String, String, String, String, u64);

#[derive(Debug, Deserialize)]
struct Load {
    acknowledged: Vec<Acknowledged>,
    failures: BTreeMap<String, u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_no_number_is_given_twice() {
    let given = |name: &str| std::env::var(name).ok().map(|value| value.parse().unwrap());
    let length = Length {
        seconds: given("ARROBA_SIDE_SECONDS").unwrap_or(5),
        commits: given("ARROBA_SIDE_COMMITS").unwrap_or(0),
    };
    // As long as usual: a writer of the Python library may be at a commit for a minute when others are in its way.
    let Some(side) = Side::start(Setup::default()).await else { return };
    both_write(&side, length).await;
}

/// How long both write: so many seconds, and until each has made so many commits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Length {
    pub(super) seconds: u64,
    pub(super) commits: u64,
}

/// Lets both write, and checks everything that there is to check afterwards.
pub(super) async fn both_write(side: &Side, length: Length) {
    let mut repos = Vec::new();
    for number in 0..OWN + SHARED {
        repos.push(side.python_repo(number).await);
    }
    for number in OWN + SHARED..2 * OWN + SHARED {
        repos.push(side.rust_repo(number).await.did().clone());
    }
    let (theirs, rest) = repos.split_at(OWN as usize);
    let (shared, ours) = rest.split_at(SHARED as usize);
    let python_url = side.python_url().await;
    let (mut python, mut rust) = (Follower::connect(&python_url).await, side.follow().await);

    let before = side.client.counts();
    let arguments = json!({
        "own": theirs, "shared": shared, "seconds": length.seconds, "commits": length.commits, "threads": WRITERS, "every": EVERY,
        "prefix": "p",
    });
    let over = AtomicBool::new(false);
    let python_writes = async {
        let load = side.python.call("load_test", arguments).await;
        over.store(true, Ordering::Relaxed);
        load
    };
    let (there, here) = tokio::join!(python_writes, rust_writes(side, ours, shared, &over));
    let calls = side.client.counts() - before;
    let there: Load = serde_json::from_value(there).unwrap();
    let commits = |load: &Load| load.acknowledged.iter().map(|write| write.4).collect::<BTreeSet<_>>().len();
    println!(
        "{length:?}: {} commits by Python ({:?} failed), {} by us ({:?} failed); our calls, readers included: {calls:?}, {:.1} a commit",
        commits(&there),
        there.failures,
        commits(&here),
        here.failures,
        calls.total() as f64 / commits(&here).max(1) as f64,
    );
    let enough = usize::try_from(length.commits.max(1)).unwrap();
    assert!(commits(&there) >= enough && commits(&here) >= enough);

    let acknowledged = [&there, &here].map(|load| load.acknowledged.iter()).into_iter().flatten();
    let newest = acknowledged.clone().map(|write| write.4).max().unwrap();
    python.reach(newest).await;
    rust.reach(newest).await;
    numbers(&there, &here);
    for did in &repos {
        let writes = acknowledged.clone().filter(|write| write.0 == did.as_str());
        kept(side, did, writes).await;
    }
    let (ours, theirs) = (numbered(&here), numbered(&there));
    streams(&python.verified(), &rust.verified(), &ours, &theirs);
    for did in &repos {
        revs(side, did, &ours).await;
    }
    side.host.close().await;
}

/// We write for as long as the Python library does.
async fn rust_writes(side: &Side, own: &[Did], shared: &[Did], over: &AtomicBool) -> Load {
    let each = (0..WRITERS).map(|writer| async move {
        let mut load = Load { acknowledged: Vec::new(), failures: BTreeMap::new() };
        let mine: Vec<&Did> = own.iter().skip(writer).step_by(WRITERS).collect();
        let mut last: HashMap<Did, String> = HashMap::new();
        let mut count = 0;
        let mut pace = tokio::time::interval(PACE);
        while !over.load(Ordering::Relaxed) {
            pace.tick().await;
            count += 1;
            let did = match count % EVERY {
                0 => &shared[count / EVERY % shared.len()],
                _ => mine[count % mine.len()],
            };
            let rkey = format!("r{writer}x{count}");
            let mut writes = vec![create(&rkey, &format!("rust {writer} {count}"))];
            let old = last.get(did).filter(|_| count % 7 == 0);
            writes.extend(old.map(|old| delete(old)));
            match side.host.repo(did).commit(writes).await {
                Ok(outcome) => {
                    let commit = outcome.commit.unwrap();
                    let mut note = |rkey: &str, action: &str| {
                        let (did, cid) = (did.to_string(), commit.cid.to_string());
                        load.acknowledged.push((
                            did,
                            rkey.to_owned(),
                            action.to_owned(),
                            cid,
                            commit.seq.unwrap(),
                        ));
                    };
                    note(&rkey, "create");
                    if let Some(old) = old {
                        note(old, "delete");
                    }
                    last.insert(did.clone(), rkey);
                }
                Err(error) => {
                    // Others may be faster again and again; nothing else may happen.
                    assert!(matches!(error, HostError::Contention(_)), "{error:?}");
                    *load.failures.entry("Contention".to_owned()).or_default() += 1;
                }
            }
        }
        load
    });
    let mut all = Load { acknowledged: Vec::new(), failures: BTreeMap::new() };
    for load in futures::future::join_all(each).await {
        all.acknowledged.extend(load.acknowledged);
        for (kind, count) in load.failures {
            *all.failures.entry(kind).or_default() += count;
        }
    }
    all
}

/// Each number belongs to one commit.
fn numbers(there: &Load, here: &Load) {
    let mut commits = BTreeMap::new();
    for (.., cid, seq) in there.acknowledged.iter().chain(&here.acknowledged) {
        let first = commits.insert(seq, cid).unwrap_or(cid);
        assert_eq!(first, cid, "{seq} was given twice");
    }
}

/// Every acknowledged write is in the repo, by the eyes of both, and its commit among the repo's commits.
async fn kept<'a>(side: &Side, did: &Did, writes: impl Iterator<Item = &'a Acknowledged>) {
    let records = side.agreed(did).await;
    let chain: BTreeSet<String> = side.chain(did).await.into_iter().map(|(cid, ..)| cid).collect();
    let mut expected = BTreeMap::new();
    for (_, rkey, action, cid, _) in writes {
        assert!(chain.contains(cid), "{did}: the commit {cid} is lost");
        *expected.entry(rkey).or_insert(0) += if action == "create" { 1 } else { -1 };
    }
    for (rkey, count) in expected {
        let there = records.contains_key(&format!("com.example.note/{rkey}"));
        assert_eq!(there, count == 1, "{did}: {rkey}");
    }
}

/// Acknowledged commits with their numbers.
fn numbered(load: &Load) -> BTreeMap<&str, u64> {
    load.acknowledged.iter().map(|(.., cid, seq)| (cid.as_str(), *seq)).collect()
}

/// Every acknowledged commit is announced once by our server and under its number by theirs; our frames follow one on the other.
fn streams(
    python: &BTreeMap<u64, Seen>,
    rust: &BTreeMap<u64, Seen>,
    ours: &BTreeMap<&str, u64>,
    theirs: &BTreeMap<&str, u64>,
) {
    let announced = |stream: &BTreeMap<u64, Seen>| {
        let commits = stream.values().filter(|seen| seen.kind == "commit");
        commits.filter_map(|seen| seen.cid.clone()).collect::<Vec<_>>()
    };
    for (name, stream) in [("Python", python), ("Rust", rust)] {
        let commits = announced(stream);
        let once: BTreeSet<&str> = commits.iter().map(String::as_str).collect();
        assert_eq!(once.len(), commits.len(), "{name} announces a commit twice");
        let lost = |by: &BTreeMap<&str, u64>| {
            let lost = by.iter().filter(|(cid, _)| !once.contains(**cid));
            lost.map(|(cid, seq)| (*seq, (*cid).to_owned())).collect::<Vec<_>>()
        };
        let (lost_ours, lost_theirs) = (lost(ours), lost(theirs));
        let missing = lost_ours.len() + lost_theirs.len();
        println!("{name}: {} commits announced, {missing} acknowledged ones missing", commits.len());
        assert!(lost_ours.is_empty(), "{name} does not announce commits by us: {lost_ours:?}");
        // The Python library stores a commit before it knows that it will stand, and its reader takes one of those under a number.
        let excused = name == "Python";
        assert!(
            excused || lost_theirs.is_empty(),
            "{name} does not announce commits by Python: {lost_theirs:?}"
        );
    }
    let both = rust.iter().filter_map(|(seq, seen)| Some((seq, seen, python.get(seq)?)));
    let differ: Vec<_> = both.filter(|(_, seen, other)| seen != other).map(|(seq, ..)| seq).collect();
    println!("{} events differ between the servers: {differ:?}", differ.len());
    let backwards = rust.values().filter(|seen| seen.backwards);
    for seen in backwards {
        assert!(!ours.contains_key(seen.cid.as_deref().unwrap()), "our rev goes backwards: {seen:?}");
    }
}

/// The rev of every commit of ours is above the one before. The Python library takes a number before it knows which commit comes
/// before its own, so beside another writer, itself included, it may make a commit whose rev is below; how many is said.
async fn revs(side: &Side, did: &Did, ours: &BTreeMap<&str, u64>) {
    let chain = side.chain(did).await;
    let back: Vec<_> =
        chain.windows(2).filter(|pair| pair[0].1 >= pair[1].1).map(|pair| &pair[1].0).collect();
    assert!(back.iter().all(|cid| !ours.contains_key(cid.as_str())), "{did}: our rev goes backwards");
    if !back.is_empty() {
        println!(
            "{did}: {} of {} commits, all by Python, have a rev below the one before",
            back.len(),
            chain.len()
        );
    }
}
