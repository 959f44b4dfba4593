use super::{LimitError, Operation, State, limits, operation::encode};
use arroba_core::{
    crypto::Signer,
    data::{Cid, Map, Value, base32},
    syntax::Did,
};

/// An operation before it is signed.
///
/// ```
/// use arroba_core::crypto::{Curve, PrivateKey, Signer as _};
/// use arroba_core::handle;
/// use arroba_identity::plc::{State, Unsigned, did_from_genesis};
///
/// let rotation = PrivateKey::from_bytes(Curve::K256, &[1; 32]).unwrap();
/// let signing = PrivateKey::from_bytes(Curve::K256, &[2; 32]).unwrap();
/// let state = State::account(
///     [rotation.public_key()],
///     &signing.public_key(),
///     &handle!("alice.test"),
///     "https://pds.test",
/// );
/// let genesis = Unsigned::genesis(state).sign(&rotation).unwrap();
/// assert_eq!(did_from_genesis(&genesis).method(), "plc");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    prev: Option<Cid>,
    state: Option<State>,
}

impl Unsigned {
    /// The first operation of an identity.
    #[must_use]
    pub const fn genesis(state: State) -> Self {
        Self { prev: None, state: Some(state) }
    }

    /// A change. The state is the whole new state, not a difference.
    #[must_use]
    pub const fn update(prev: Cid, state: State) -> Self {
        Self { prev: Some(prev), state: Some(state) }
    }

    /// The end of an identity.
    #[must_use]
    pub const fn tombstone(prev: Cid) -> Self {
        Self { prev: Some(prev), state: None }
    }

    /// Signs the operation.
    ///
    /// # Errors
    /// [`LimitError`] for what a directory would refuse, or the specification forbids in new operations.
    pub fn sign(self, signer: &dyn Signer) -> Result<Operation, LimitError> {
        let mut fields = Map::new();
        fields.insert("prev", self.prev.map_or(Value::Null, |cid| Value::from(cid.to_string())));
        match &self.state {
            None => {
                fields.insert("type", "plc_tombstone");
            }
            Some(state) => {
                fields.insert("type", "plc_operation");
                insert_state(&mut fields, state);
            }
        }
        let signature = signer.sign(&encode(&fields, false)).to_base64url();
        fields.insert("sig", signature);
        let operation =
            Operation::from_value(Value::Map(fields)).expect("every field was just set to its own type");
        if let Some(state) = &self.state {
            limits::check_new(state, operation.to_cbor().len())?;
        }
        Ok(operation)
    }
}

fn insert_state(fields: &mut Map<'static>, state: &State) {
    let texts = |texts: &[String]| Value::List(texts.iter().cloned().map(Value::from).collect());
    fields.insert("rotationKeys", texts(&state.rotation_keys));
    fields.insert("alsoKnownAs", texts(&state.also_known_as));
    let mut methods = Map::new();
    for (id, key) in &state.verification_methods {
        methods.insert(id.clone(), key.clone());
    }
    fields.insert("verificationMethods", methods);
    let mut services = Map::new();
    for (id, service) in &state.services {
        let mut entry = Map::new();
        entry.insert("type", service.kind.clone());
        entry.insert("endpoint", service.endpoint.clone());
        services.insert(id.clone(), entry);
    }
    fields.insert("services", services);
}

/// The DID that a genesis operation creates: `did:plc:` and the first 24 characters of its hash in base32.
#[must_use]
pub fn did_from_genesis(operation: &Operation) -> Did {
    let digits = base32::encode(operation.cid().digest());
    let text = format!("did:plc:{}", &digits[..24]);
    Did::parse(&text).expect("24 letters and digits behind did:plc: are a DID")
}
