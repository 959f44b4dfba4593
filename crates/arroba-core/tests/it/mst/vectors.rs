//! The published vectors.

use std::collections::BTreeMap;

use arroba_core::data::Link;
use arroba_core::mst::{Key, KeyEdit, Tree};

use super::table::NodeTable;

const VALUE: &str = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454";

fn root_of(keys: &[&str]) -> String {
    let entries: BTreeMap<Key, Link> =
        keys.iter().map(|key| (Key::try_from(*key).unwrap(), Link::parse(VALUE).unwrap())).collect();
    let built = NodeTable::build(&entries).root().0;
    let batch: Vec<_> = entries.into_iter().map(|(key, value)| KeyEdit { key, value: Some(value) }).collect();
    assert_eq!(Tree::empty().edit(&batch).unwrap().tree.root_cid(), built);
    built.to_string()
}

#[test]
fn known_roots() {
    let mut checked = 0;
    let mut expect = |keys: &[&str], root: &str| {
        let keys: Vec<String> = keys.iter().map(|key| format!("com.example.record/{key}")).collect();
        assert_eq!(root_of(&keys.iter().map(String::as_str).collect::<Vec<_>>()), root);
        checked += 1;
    };
    expect(&[], "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm");
    expect(&["3jqfcqzm3fo2j"], "bafyreibj4lsc3aqnrvphp5xmrnfoorvru4wynt6lwidqbm2623a6tatzdu");
    expect(&["3jqfcqzm3fx2j"], "bafyreih7wfei65pxzhauoibu3ls7jgmkju4bspy4t2ha2qdjnzqvoy33ai");
    expect(
        &["3jqfcqzm3fp2j", "3jqfcqzm3fr2j", "3jqfcqzm3fs2j", "3jqfcqzm3ft2j", "3jqfcqzm4fc2j"],
        "bafyreicmahysq4n6wfuxo522m6dpiy7z7qzym3dzs756t5n7nfdgccwq7m",
    );
    println!("vectors: mst-roots: {checked} assertions");
}
