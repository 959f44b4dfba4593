//! Query strings.

use arroba_lexicons::QueryPairs;

/// Query strings.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(pairs) = QueryPairs::parse(text) else { return };
    let _ = pairs.list::<String>("cids");
    let _ = pairs.integer::<u32>("limit", 1..=100);
    let again = pairs.to_string();
    assert_eq!(QueryPairs::parse(&again).expect("our own query string"), pairs);
}

/// What mutation starts from.
pub fn seeds() -> Vec<Vec<u8>> {
    [
        "cids=a&cids%5B%5D=b&limit=5&other=x",
        "did=did%3Aplc%3Aabc&cursor=+%2B%20&reverse=true",
        "a",
        "a=%",
        "=&&=",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}
