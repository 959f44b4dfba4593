//! Every method's types against its schema: names, what must be there, bounds, encodings, errors.

use std::{collections::BTreeSet, sync::Arc};

use arroba_core::{
    data::json,
    lexicon::{
        BodySchema, Catalog, Def, MethodSchema, ObjectSchema, ParamsSchema, Schema, Validator,
        validate_input, validate_output,
    },
    syntax::Nsid,
};
use arroba_lexicons::{
    Body, Encoding, Endpoint, FromQuery, Kind, QueryError, QueryPairs, ToQuery,
    app_bsky::actor,
    catalog,
    com_atproto::{admin, identity, repo, server, sync},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::sample::{self, Extent, TEXT};

/// Checks one method, given how its two bodies are encoded.
macro_rules! check {
    ($method:ty, $input:ident, $output:ident) => {{
        let check = Check::new::<$method>();
        check.facts::<$method>();
        check.params::<$method>();
        check!(@$input, check, <$method as Endpoint>::Input, check.schema.input.as_ref(), Side::Input);
        check!(@$output, check, <$method as Endpoint>::Output, check.schema.output.as_ref(), Side::Output);
        <$method>::NSID
    }};
    (@json, $check:ident, $body:ty, $schema:expr, $side:expr) => { $check.json::<$body>($schema, $side) };
    (@raw, $check:ident, $body:ty, $schema:expr, $side:expr) => { $check.raw::<$body>($schema) };
    (@none, $check:ident, $body:ty, $schema:expr, $side:expr) => {
        assert_eq!((<$body>::ENCODING, $schema), (Encoding::None, None), "{}", $check.nsid)
    };
}

#[test]
fn every_method_agrees_with_its_schema() {
    let checked = BTreeSet::from([
        check!(repo::ApplyWrites, json, json),
        check!(repo::CreateRecord, json, json),
        check!(repo::DeleteRecord, json, json),
        check!(repo::DescribeRepo, none, json),
        check!(repo::GetRecord, none, json),
        check!(repo::ImportRepo, raw, none),
        check!(repo::ListMissingBlobs, none, json),
        check!(repo::ListRecords, none, json),
        check!(repo::PutRecord, json, json),
        check!(repo::UploadBlob, raw, json),
        check!(sync::GetBlob, none, raw),
        check!(sync::GetBlocks, none, raw),
        check!(sync::GetCheckout, none, raw),
        check!(sync::GetHead, none, json),
        check!(sync::GetLatestCommit, none, json),
        check!(sync::GetRecord, none, raw),
        check!(sync::GetRepo, none, raw),
        check!(sync::GetRepoStatus, none, json),
        check!(sync::ListBlobs, none, json),
        check!(sync::ListRepos, none, json),
        check!(sync::RequestCrawl, json, none),
        check!(sync::SubscribeRepos, none, none),
        check!(server::ActivateAccount, none, none),
        check!(server::CheckAccountStatus, none, json),
        check!(server::CreateAccount, json, json),
        check!(server::CreateInviteCode, json, json),
        check!(server::CreateInviteCodes, json, json),
        check!(server::CreateSession, json, json),
        check!(server::DeactivateAccount, json, none),
        check!(server::DeleteSession, none, none),
        check!(server::DescribeServer, none, json),
        check!(server::GetServiceAuth, none, json),
        check!(server::GetSession, none, json),
        check!(server::RefreshSession, none, json),
        check!(identity::GetRecommendedDidCredentials, none, json),
        check!(identity::ResolveHandle, none, json),
        check!(identity::UpdateHandle, json, none),
        check!(admin::DeleteAccount, json, none),
        check!(admin::GetAccountInfo, none, json),
        check!(admin::GetSubjectStatus, none, json),
        check!(admin::UpdateSubjectStatus, json, json),
        check!(actor::GetPreferences, none, json),
        check!(actor::PutPreferences, json, none),
    ]);
    let catalog = catalog();
    let bundled = catalog.iter().filter(|document| {
        matches!(document.def("main"), Some(Def::Query(_) | Def::Procedure(_) | Def::Subscription(_)))
    });
    let bundled: BTreeSet<_> = bundled.map(|document| document.id().as_str()).collect();
    let untyped = BTreeSet::from(UNTYPED);
    assert_eq!(checked.intersection(&untyped).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(checked.union(&untyped).copied().collect::<BTreeSet<_>>(), bundled);
}

/// The methods that have a schema and no types, because nothing here serves or calls them. One that gets types
/// moves from here to the list above.
const UNTYPED: [&str; 53] = [
    "app.bsky.actor.getProfile",
    "app.bsky.actor.getProfiles",
    "app.bsky.feed.getActorLikes",
    "app.bsky.feed.getAuthorFeed",
    "app.bsky.feed.getPostThread",
    "app.bsky.feed.getPosts",
    "app.bsky.feed.getTimeline",
    "app.bsky.unspecced.getPostThreadV2",
    "com.atproto.admin.disableAccountInvites",
    "com.atproto.admin.disableInviteCodes",
    "com.atproto.admin.enableAccountInvites",
    "com.atproto.admin.getAccountInfos",
    "com.atproto.admin.getInviteCodes",
    "com.atproto.admin.searchAccounts",
    "com.atproto.admin.sendEmail",
    "com.atproto.admin.updateAccountEmail",
    "com.atproto.admin.updateAccountHandle",
    "com.atproto.admin.updateAccountPassword",
    "com.atproto.admin.updateAccountSigningKey",
    "com.atproto.identity.refreshIdentity",
    "com.atproto.identity.requestPlcOperationSignature",
    "com.atproto.identity.resolveDid",
    "com.atproto.identity.resolveIdentity",
    "com.atproto.identity.signPlcOperation",
    "com.atproto.identity.submitPlcOperation",
    "com.atproto.label.queryLabels",
    "com.atproto.label.subscribeLabels",
    "com.atproto.lexicon.resolveLexicon",
    "com.atproto.moderation.createReport",
    "com.atproto.server.confirmEmail",
    "com.atproto.server.createAppPassword",
    "com.atproto.server.deleteAccount",
    "com.atproto.server.getAccountInviteCodes",
    "com.atproto.server.listAppPasswords",
    "com.atproto.server.requestAccountDelete",
    "com.atproto.server.requestEmailConfirmation",
    "com.atproto.server.requestEmailUpdate",
    "com.atproto.server.requestPasswordReset",
    "com.atproto.server.reserveSigningKey",
    "com.atproto.server.resetPassword",
    "com.atproto.server.revokeAppPassword",
    "com.atproto.server.updateEmail",
    "com.atproto.sync.getHostStatus",
    "com.atproto.sync.listHosts",
    "com.atproto.sync.listReposByCollection",
    "com.atproto.sync.notifyOfUpdate",
    "com.atproto.temp.addReservedHandle",
    "com.atproto.temp.checkHandleAvailability",
    "com.atproto.temp.checkSignupQueue",
    "com.atproto.temp.dereferenceScope",
    "com.atproto.temp.fetchLabels",
    "com.atproto.temp.requestPhoneVerification",
    "com.atproto.temp.revokeAccountCredentials",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Input,
    Output,
}

struct Check {
    catalog: Arc<Catalog>,
    nsid: Nsid,
    kind: Kind,
    schema: MethodSchema,
}

impl Check {
    fn new<E: Endpoint>() -> Self {
        let catalog = catalog();
        let nsid = Nsid::parse(E::NSID).expect("an NSID");
        let (kind, schema) = match catalog.main(&nsid) {
            Some(Def::Query(schema)) => (Kind::Query, schema.clone()),
            Some(Def::Procedure(schema)) => (Kind::Procedure, schema.clone()),
            Some(Def::Subscription(stream)) => (
                Kind::Subscription,
                MethodSchema {
                    parameters: stream.parameters.clone(),
                    errors: stream.errors.clone(),
                    ..MethodSchema::default()
                },
            ),
            _ => panic!("no method {nsid}"),
        };
        Self { catalog, nsid, kind, schema }
    }

    fn facts<E: Endpoint>(&self) {
        assert_eq!(E::PATH, format!("/xrpc/{}", self.nsid));
        assert_eq!(E::KIND, self.kind, "{}", self.nsid);
        assert_eq!(E::ERRORS, self.schema.errors, "{}", self.nsid);
    }

    fn params<E: Endpoint<Params: ToQuery>>(&self) {
        let schema = &self.schema.parameters;
        let full = pairs(schema, |_| true);
        let written = self.read::<E>(&full).expect("all parameters").to_query();
        assert_eq!(sorted(&written), sorted(&full), "{}", self.nsid);
        Validator::new(&self.catalog).params(&self.nsid, full.iter()).expect("all parameters");

        let required = |name: &str| schema.required.iter().any(|required| required == name);
        let minimal = pairs(schema, required);
        let written = self.read::<E>(&minimal).expect("required parameters").to_query();
        let expected = pairs(schema, |name| required(name) || default(&schema.properties[name]).is_some());
        assert_eq!(names(&written), names(&expected), "{}", self.nsid);
        for (name, value) in written.iter() {
            if let Some(default) = default(&schema.properties[name]) {
                assert_eq!(value, default, "{} {name}", self.nsid);
            }
        }
        for missing in &schema.required {
            let fewer: QueryPairs = minimal.iter().filter(|(name, _)| name != missing).collect();
            let error = self.read::<E>(&fewer).err();
            let named = matches!(error, Some(QueryError::Missing { name }) if name == missing);
            assert!(named, "{} {missing}", self.nsid);
        }
        self.malformed_params::<E>(schema, &full);
    }

    /// Whatever the schema refuses is refused by the type too.
    fn malformed_params<E: Endpoint>(&self, schema: &ParamsSchema, full: &QueryPairs) {
        let validator = Validator::new(&self.catalog);
        for (name, property) in &schema.properties {
            for value in malformed(property) {
                let broken = replaced(full, name, &value);
                assert!(self.read::<E>(&broken).is_err(), "{} {name}={value}", self.nsid);
                assert!(validator.params(&self.nsid, broken.iter()).is_err(), "{} {name}={value}", self.nsid);
            }
            if let Schema::Integer(integer) = property {
                for value in [integer.minimum, integer.maximum].into_iter().flatten() {
                    self.read::<E>(&replaced(full, name, &value.to_string())).expect("a bound");
                }
            }
            if !matches!(property, Schema::Array(_)) {
                let twice = full.iter().chain(full.iter().filter(|(found, _)| found == name)).collect();
                let error = self.read::<E>(&twice).err();
                assert!(matches!(error, Some(QueryError::Repeated { .. })), "{} {name}", self.nsid);
            }
        }
    }

    /// Reads parameters through the text of a query string, as a server does.
    fn read<E: Endpoint>(&self, pairs: &QueryPairs) -> Result<E::Params, QueryError> {
        E::Params::from_query(&QueryPairs::parse(&format!("unknown=1&{pairs}"))?)
    }

    fn raw<B: Body>(&self, schema: Option<&BodySchema>) {
        let schema = schema.unwrap_or_else(|| panic!("{} has no such body", self.nsid));
        let Encoding::Raw(encoding) = B::ENCODING else { panic!("{} is not raw", self.nsid) };
        assert_eq!((encoding, &schema.schema), (schema.encoding.as_str(), &None), "{}", self.nsid);
    }

    fn json<B: Body + Serialize + DeserializeOwned>(&self, schema: Option<&BodySchema>, side: Side) {
        let schema = schema.unwrap_or_else(|| panic!("{} has no such body", self.nsid));
        assert_eq!((B::ENCODING, schema.encoding.as_str()), (Encoding::Json, "application/json"));
        let schema = schema.schema.as_ref().expect("a schema");
        for extent in [Extent::Minimal, Extent::Full] {
            for value in sample::values(&self.catalog, schema, extent) {
                let typed: B = read(&value).unwrap_or_else(|error| panic!("{} {value}: {error}", self.nsid));
                let written = serde_json::to_string(&typed).expect("JSON");
                assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), value, "{}", self.nsid);
                self.valid(&value, side);
            }
        }
        let object = self.object(schema);
        for value in sample::values(&self.catalog, schema, Extent::Full) {
            self.fields::<B>(object, &value, side);
        }
    }

    /// What becomes of a body when one of its fields is absent, null, or of another type or format.
    fn fields<B: DeserializeOwned>(&self, object: &ObjectSchema, value: &Value, side: Side) {
        for (name, field) in &object.properties {
            let mut without = value.clone();
            without.as_object_mut().expect("an object").remove(name);
            let optional = !object.required.contains(name) || default(field).is_some();
            assert_eq!(read::<B>(&without).is_ok(), optional, "{} without {name}", self.nsid);
            if matches!(field, Schema::Unknown) {
                continue;
            }
            let admits = |changed: Value| {
                let mut value = value.clone();
                value[name] = changed;
                read::<B>(&value).is_ok()
            };
            if side == Side::Input {
                assert_eq!(admits(Value::Null), object.nullable.contains(name), "{} {name}: null", self.nsid);
            }
            let other = if matches!(field, Schema::Boolean(_)) { TEXT.into() } else { Value::Bool(true) };
            assert!(!admits(other), "{} {name}: another type", self.nsid);
            if matches!(field, Schema::String(string) if string.format.is_some()) {
                assert!(!admits("!".into()), "{} {name}: another format", self.nsid);
            }
        }
    }

    fn valid(&self, value: &Value, side: Side) {
        let value = json::from_json_value(value).expect("the data model");
        match side {
            Side::Input => validate_input(&self.catalog, &self.nsid, &value),
            Side::Output => validate_output(&self.catalog, &self.nsid, &value),
        }
        .unwrap_or_else(|error| panic!("{}: {error}", self.nsid));
    }

    fn object<'s>(&'s self, schema: &'s Schema) -> &'s ObjectSchema {
        match schema {
            Schema::Object(object) => object,
            Schema::Ref(reference) => match self.catalog.resolve(reference) {
                Some(Def::Data(Schema::Object(object))) => object,
                other => panic!("{reference} is {other:?}"),
            },
            other => panic!("a body of type {other:?}"),
        }
    }
}

fn read<B: DeserializeOwned>(value: &Value) -> Result<B, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

fn default(schema: &Schema) -> Option<String> {
    match schema {
        Schema::Integer(integer) => integer.default.map(|value| value.to_string()),
        Schema::Boolean(boolean) => boolean.default.map(|value| value.to_string()),
        Schema::String(string) => string.default.clone(),
        _ => None,
    }
}

/// Texts that a parameter must not have.
fn malformed(property: &Schema) -> Vec<String> {
    match property {
        Schema::Integer(integer) => ["x".to_owned(), "1.5".to_owned()]
            .into_iter()
            .chain(integer.minimum.map(|minimum| (minimum - 1).to_string()))
            .chain(integer.maximum.map(|maximum| (maximum + 1).to_string()))
            .collect(),
        Schema::Boolean(_) => vec!["yes".to_owned()],
        Schema::String(string) => {
            let malformed = string.format.map(|_| "!".to_owned());
            malformed.into_iter().chain(string.max_length.map(|maximum| "x".repeat(maximum + 1))).collect()
        }
        Schema::Array(_) => vec!["!".to_owned()],
        other => panic!("a parameter of type {other:?}"),
    }
}

/// Values for the parameters that are wanted.
fn pairs(schema: &ParamsSchema, wanted: impl Fn(&str) -> bool) -> QueryPairs {
    let catalog = Catalog::new();
    schema.properties.iter().filter(|(name, _)| wanted(name)).fold(
        QueryPairs::new(),
        |pairs, (name, property)| {
            let (single, times) = match property {
                Schema::Array(array) => (&*array.items, 2),
                other => (other, 1),
            };
            let value = &sample::values(&catalog, single, Extent::Full)[0];
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            pairs.with_list(name, std::iter::repeat_n(text, times))
        },
    )
}

fn replaced(pairs: &QueryPairs, name: &str, value: &str) -> QueryPairs {
    pairs.iter().map(|(found, old)| (found, if found == name { value } else { old })).collect()
}

fn sorted(pairs: &QueryPairs) -> Vec<(&str, &str)> {
    let mut sorted: Vec<_> = pairs.iter().collect();
    sorted.sort_unstable();
    sorted
}

fn names(pairs: &QueryPairs) -> BTreeSet<&str> {
    pairs.iter().map(|(name, _)| name).collect()
}
