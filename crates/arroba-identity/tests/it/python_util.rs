//! `arroba.util` of arroba 3.1 (Python), name by name: what it gave when `e2e/python-parity` asked, beside what we give.

use arroba_core::{
    crypto::{
        Curve, PrivateKey, PublicKey, Signature, SignatureError, Signer as _,
        jwt::{ServiceClaims, Token},
    },
    data::{Cid, Map, Value as Data, cbor, json as data_json},
    repo::Commit,
    signed::{self, SignedError},
    syntax::{AtUri, Audience, Datetime, Did, Nsid, RecordPath, Tid},
};
use arroba_identity::Clock;
use serde_json::{Value, json};

fn facts() -> Value {
    serde_json::from_str(include_str!("../python/util.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn data(value: &Value) -> Data<'static> {
    data_json::from_slice(value.to_string().as_bytes()).unwrap().into_owned()
}

fn object(value: &Value) -> Map<'static> {
    match data(value) {
        Data::Map(map) => map,
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes64(hex: &str) -> [u8; 64] {
    let digits: Vec<u8> =
        (0..128).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    digits.try_into().unwrap()
}

/// Its clock identifiers below 32 are the upper five of the ten bits: it writes one character, and `2` behind it.
const fn clock_id(python: u64) -> u16 {
    (if python < 32 { python << 5 } else { python }) as u16
}

#[test]
fn dag_cbor_cid() {
    for case in list(&facts()["dag_cbor_cid"]) {
        let bytes = cbor::encode(&data(&case["value"]));
        assert_eq!(hex(&bytes), text(&case["bytes"]));
        assert_eq!(Cid::for_cbor(&bytes).to_string(), text(&case["cid"]));
    }
}

/// The characters of a number are those of a TID, which has thirteen of them: `2` is the digit zero.
#[test]
fn s32encode() {
    for case in list(&facts()["s32"]) {
        let padded = format!("{:2>13}", text(&case["text"]));
        assert_eq!(Tid::from_u64(number(&case["number"])).to_string(), padded);
    }
}

#[test]
fn s32decode() {
    for case in list(&facts()["s32"]) {
        let padded = format!("{:2>13}", text(&case["text"]));
        assert_eq!(Tid::parse(&padded).unwrap().to_u64(), number(&case["back"]));
    }
}

#[test]
fn int_to_tid() {
    let facts = facts();
    for case in list(&facts["int_to_tid"]) {
        let tid = Tid::from_micros(number(&case["number"]), clock_id(number(&case["clock_id"])));
        assert_eq!(tid.to_string(), text(&case["tid"]), "{case}");
    }
    assert_eq!(list(&facts["int_to_tid"]).len(), 57);
}

#[test]
fn datetime_to_tid() {
    for case in list(&facts()["datetime_to_tid"]) {
        let datetime = Datetime::parse(&text(&case["datetime"]).replace("+00:00", "Z")).unwrap();
        assert_eq!(Tid::from_datetime(&datetime, 0).unwrap().to_string(), text(&case["tid"]));
    }
}

#[test]
fn tid_to_int() {
    let mut different = Vec::new();
    for case in list(&facts()["tid_to_int"]) {
        match Tid::parse(text(&case["tid"])) {
            Ok(tid) => assert_eq!(tid.micros(), number(&case["number"])),
            Err(_) if case["number"]["error"] == "ValueError" => {}
            Err(_) => different.push(text(&case["tid"]).to_owned()),
        }
    }
    // Python does not look at the characters of the clock identifier.
    assert_eq!(different, ["3jzfcijpj2z21"]);
}

#[test]
fn tid_to_datetime() {
    for case in list(&facts()["tid_to_datetime"]) {
        let datetime = Tid::parse(text(&case["tid"])).unwrap().to_datetime();
        assert_eq!(datetime.as_str().replace('Z', "+00:00"), text(&case["datetime"]));
    }
}

#[test]
fn next_tid() {
    let facts = facts();
    let clock_id = clock_id(number(&facts["next_tid"]["clock_id"]));
    let mut previous = None;
    for call in list(&facts["next_tid"]["calls"]) {
        let next = Tid::next_after(number(&call["time_ns"]) / 1000, clock_id, previous);
        assert_eq!(next.to_string(), text(&call["tid"]), "{call}");
        assert!(previous.is_none_or(|previous| next > previous));
        previous = Some(next);
    }
}

/// Where Python's tests replace the function, ours give another clock.
#[test]
fn time_ns() {
    let clock = Clock::new(|| 1_767_225_600_000);
    let first = &facts()["next_tid"]["calls"][0];
    assert_eq!(clock.unix_millis() * 1_000_000, number(&first["time_ns"]));
    let before = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let system = u128::from(Clock::system().unix_millis());
    assert!(before <= system && system <= std::time::UNIX_EPOCH.elapsed().unwrap().as_millis());
}

#[test]
fn at_uri() {
    for case in list(&facts()["at_uri"]) {
        let path = format!("{}/{}", text(&case["collection"]), text(&case["rkey"]));
        let did = Did::parse(text(&case["did"])).unwrap();
        let uri = AtUri::record(&did, &RecordPath::parse(&path).unwrap());
        assert_eq!(uri, text(&case["uri"]));
    }
}

#[test]
fn parse_at_uri() {
    let mut different = Vec::new();
    for case in list(&facts()["parse_at_uri"]) {
        match AtUri::parse(text(&case["uri"])) {
            Ok(uri) => {
                let collection = uri.collection().map(String::from).unwrap_or_default();
                let rkey = uri.rkey().map(String::from).unwrap_or_default();
                assert_eq!(json!([uri.authority().as_str(), collection, rkey]), case["parts"]);
            }
            Err(_) if case["parts"]["error"] == "ValueError" => {}
            Err(_) => different.push(text(&case["uri"]).to_owned()),
        }
    }
    // Malformed, or not of the form that records may hold.
    let expected =
        ["at://did:web:a.test/", "at://did:web:a.test/a.b.c/x/y", "at://did:web:a.test/a.b.c/x?y#z"];
    assert_eq!(different, expected);
}

#[test]
fn new_key() {
    for case in list(&facts()["new_key"]) {
        let key = PrivateKey::from_seed(Curve::K256, text(&case["seed"]).parse().unwrap()).unwrap();
        assert_eq!(*key.to_hex(), text(&case["scalar"]));
        assert_eq!(key.public_key().to_did_key(), text(&case["did_key"]));
    }
    assert!(PrivateKey::from_seed(Curve::K256, 0).is_err());
}

fn seeded(case: &Value) -> PrivateKey {
    PrivateKey::from_seed(Curve::K256, number(&case["seed"]).into()).unwrap()
}

/// Its signatures are random (ours are not: RFC 6979), so they are compared by verifying, and by what is signed.
#[test]
fn sign() {
    let facts = facts();
    for case in list(&facts["sign"]) {
        let (key, mut ours) = (seeded(case), object(&case["object"]));
        signed::sign(&mut ours, &key);
        signed::verify(&ours, &key.public_key()).unwrap();
        let mut theirs = object(&case["signed"]);
        let cid = Cid::for_cbor(&cbor::encode(&Data::Map(theirs.clone())));
        assert_eq!(cid.to_string(), text(&case["cid"]));
        signed::verify(&theirs, &key.public_key()).unwrap();
        assert!(ours.remove("sig").is_some() && theirs.remove("sig").is_some());
        assert_eq!(ours, theirs);
    }
    // The second object is a commit.
    let commit = Commit::decode(&cbor::encode(&data(&facts["sign"][1]["signed"]))).unwrap();
    commit.verify(&seeded(&facts["sign"][1]).public_key()).unwrap();
}

#[test]
fn verify_sig() {
    for case in list(&facts()["sign"]) {
        let (key, theirs) = (seeded(case).public_key(), object(&case["signed"]));
        let verifies = |object: &Map<'_>, key: &PublicKey, name: &str| {
            assert_eq!(signed::verify(object, key).is_ok(), case[name].as_bool().unwrap(), "{name}");
        };
        verifies(&theirs, &key, "verifies");
        let other = PrivateKey::from_seed(Curve::K256, u128::from(number(&case["seed"])) + 1).unwrap();
        verifies(&theirs, &other.public_key(), "verifies, another key");
        let mut changed = theirs.clone();
        changed.insert("more", 1);
        verifies(&changed, &key, "verifies, changed");
        let signature = theirs.get("sig").unwrap().as_bytes().unwrap().to_vec();
        let mut short = theirs.clone();
        short.insert("sig", Data::Bytes(signature[..63].to_vec().into()));
        verifies(&short, &key, "verifies, short");
        assert_eq!(case["verifies, unsigned"]["error"], "KeyError");
        assert_eq!(signed::verify(&object(&case["object"]), &key), Err(SignedError::Unsigned));
        // It accepts the other of the two signatures, which the protocol forbids.
        assert_eq!(case["verifies, high s"], true);
        let mut high = theirs.clone();
        high.insert("sig", Data::Bytes(high_s(&signature).into()));
        assert_eq!(signed::verify(&high, &key), Err(SignedError::Signature(SignatureError::HighS)));
    }
}

/// The other signature: the order of K-256 less `s`.
fn high_s(signature: &[u8]) -> Vec<u8> {
    let order =
        bytes64(&format!("{:064}fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 0));
    let (mut high, mut borrow) = (signature.to_vec(), 0);
    for at in (32..64).rev() {
        let difference = i16::from(order[at]) - i16::from(signature[at]) - borrow;
        borrow = i16::from(difference < 0);
        high[at] = difference.rem_euclid(256) as u8;
    }
    high
}

#[test]
fn apply_low_s_mitigation() {
    let facts = facts();
    for case in list(&facts["apply_low_s_mitigation"]) {
        let curve = if case["curve"] == "K256" { Curve::K256 } else { Curve::P256 };
        let low = Signature::from_bytes(bytes64(text(&case["raw"]))).to_low_s(curve);
        assert_eq!(hex(low.as_bytes()), text(&case["low"]));
    }
    assert_eq!(list(&facts["apply_low_s_mitigation"]).len(), 10);
}

#[test]
fn service_jwt() {
    let facts = facts();
    let now = number(&facts["now"]);
    let (did, relay) =
        (Did::parse("did:web:a.test").unwrap(), Audience::parse("did:web:relay.test").unwrap());
    let labeler = Audience::parse("did:plc:ewvi7nxzyoun6zhxrhs64oiz#labeler").unwrap();
    let ours = [
        ServiceClaims::new(&did, &relay, now + 600),
        ServiceClaims::new(&did, &relay, now + 30)
            .method(&Nsid::parse("com.atproto.sync.requestCrawl").unwrap()),
        ServiceClaims::new(&did, &labeler, now + 600).nonce("x").claim("nested", json!({ "a": [1] })),
    ];
    for (case, claims) in list(&facts["service_jwt"]).iter().zip(&ours) {
        let key = seeded(case);
        let theirs = Token::decode(text(&case["token"])).unwrap();
        theirs.verify(&key.public_key()).unwrap();
        let text = claims.sign(&key).unwrap();
        let token = Token::decode(&text).unwrap();
        token.verify(&key.public_key()).unwrap();
        assert_eq!(token.header(), theirs.header());
        assert_eq!(serde_json::to_value(token.header()).unwrap(), case["header"]);
        let mut expected = case["claims"].clone();
        // It repeats the header's `alg` among the claims, where it means nothing.
        assert_eq!(expected.as_object_mut().unwrap().remove("alg"), Some(json!("ES256K")));
        assert_eq!(token.claims::<Value>().unwrap(), expected);
    }
    assert_eq!(list(&facts["service_jwt"]).len(), ours.len());
}
