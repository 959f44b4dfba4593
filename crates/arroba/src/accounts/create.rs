//! New accounts.

use arroba_core::crypto::PublicKey;
use arroba_core::syntax::{Did, Handle};
use arroba_lexicons::com_atproto::server::create_account::Input;
use arroba_store::accounts::{AccountError, NewAccount};
use arroba_xrpc::{Result, XrpcError};

use super::sessions::{LONGEST_PASSWORD, LoggedIn};
use super::{Logins, account_failed};
use crate::host::{HostError, NewRepo, RepoPlan};
use crate::service::store_failed;
use crate::session::Access;

impl Logins {
    /// Makes an account as `input` wants it. `proven` is the DID whose owner calls, if a service token showed that.
    ///
    /// The account exists when this returns, and a first session with it. It goes on to its end if the caller hangs up.
    pub(crate) async fn create(&self, input: Input, proven: Option<&Did>) -> Result<LoggedIn> {
        let email = self.check_input(&input, proven)?;
        self.check_handle(&input.handle, input.did.as_ref()).await?;
        self.check_available(&input, &email).await?;

        let plan = self.0.host.plan_repo(new_repo(&input)?)?;
        let password = match &input.password {
            Some(password) => Some(self.0.passwords.hash(password.expose()).await.map_err(store_failed)?),
            None => None,
        };
        let new = NewAccount {
            did: plan.did().clone(),
            email: Some(email),
            password,
            invite: input.invite_code.filter(|_| self.0.offer.invite_required),
            now: self.now_micros(),
        };
        let (logins, handle) = (self.clone(), input.handle);
        let work = tokio::spawn(async move { logins.make(new, &plan, &handle).await });
        work.await.map_err(XrpcError::internal)?
    }

    /// The steps that must not be left half-way; see [`Logins::recover`] for what happens when they are.
    async fn make(&self, new: NewAccount, plan: &RepoPlan, handle: &Handle) -> Result<LoggedIn> {
        let did = plan.did();
        let email = new.email.clone().unwrap_or_default();
        self.0.accounts.reserve(new).await.map_err(|error| match error {
            AccountError::EmailTaken => XrpcError::invalid_request(format!("Email already taken: {email}")),
            AccountError::DidTaken => already_exists(did),
            error => account_failed(error),
        })?;
        if let Err(error) = self.0.host.create_planned(plan).await {
            self.0.accounts.revert(did).await.map_err(account_failed)?;
            return Err(match error {
                HostError::HandleTaken(handle) => handle_taken(&handle),
                HostError::RepoExists(did) => already_exists(&did),
                error => error.into(),
            });
        }
        if plan.genesis().is_none() {
            let since = Some(self.now_micros());
            self.0.accounts.finish(did).await.map_err(account_failed)?;
            self.0.accounts.set_deactivated(did, since, None).await.map_err(account_failed)?;
        } else {
            self.0.accounts.finish(did).await.map_err(account_failed)?;
        }
        tracing::info!(%did, %handle, "account created");
        self.log_in(did, Access::Full).await
    }

    /// What can be said without asking anybody, in the order of the reference server. Gives the e-mail address.
    fn check_input(&self, input: &Input, proven: Option<&Did>) -> Result<String> {
        if input.plc_op.is_some() {
            return Err(XrpcError::invalid_request("Unsupported input: \"plcOp\""));
        }
        if input
            .password
            .as_ref()
            .is_some_and(|password| password.expose().chars().count() > LONGEST_PASSWORD)
        {
            return Err(XrpcError::invalid_request("Password too long. Maximum length is 256 characters."));
        }
        if let Some(did) = &input.did
            && proven != Some(did)
        {
            let message = format!("Missing auth to create account with did: {did}");
            return Err(XrpcError::authentication_required(message));
        }
        if self.0.offer.invite_required && input.invite_code.is_none() {
            return Err(XrpcError::named("InvalidInviteCode", "No invite code provided"));
        }
        let email = input.email.as_deref().filter(|email| !email.is_empty());
        let email = email.ok_or_else(|| XrpcError::invalid_request("Email is required"))?;
        if !is_email(email) {
            return Err(XrpcError::invalid_request(
                "This email address is not supported, please use a different email.",
            ));
        }
        Ok(email.to_lowercase())
    }

    /// What would be found out later, but is cheaper to say before a password is hashed and a DID made.
    async fn check_available(&self, input: &Input, email: &str) -> Result<()> {
        if let Some(code) = input.invite_code.as_deref().filter(|_| self.0.offer.invite_required)
            && !self.0.accounts.invite_is_available(code).await.map_err(account_failed)?
        {
            return Err(account_failed(AccountError::InviteUnavailable));
        }
        if self.0.host.store().by_handle(&input.handle).await.map_err(store_failed)?.is_some() {
            return Err(handle_taken(&input.handle));
        }
        if self.0.accounts.account_by_email(email).await.map_err(account_failed)?.is_some() {
            return Err(XrpcError::invalid_request(format!("Email already taken: {email}")));
        }
        Ok(())
    }
}

fn new_repo(input: &Input) -> Result<NewRepo> {
    let new = match &input.did {
        Some(did) => NewRepo::existing(did.clone(), Some(input.handle.clone())),
        None => NewRepo::plc(input.handle.clone()),
    };
    match &input.recovery_key {
        None => Ok(new),
        Some(key) => {
            let key = PublicKey::from_did_key(key)
                .map_err(|error| XrpcError::invalid_request("Invalid recovery key").with_cause(error))?;
            Ok(new.rotation_key(key))
        }
    }
}

fn handle_taken(handle: &Handle) -> XrpcError {
    XrpcError::invalid_request(format!("Handle already taken: {handle}"))
}

fn already_exists(did: &Did) -> XrpcError {
    XrpcError::invalid_request(format!("Account already exists: {did}"))
}

/// Whether a text can be an address at all: one `@`, a name of ordinary characters, a domain with a dot.
fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.rsplit_once('@') else { return false };
    let ordinary = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c);
    let dotted = |part: &str| !part.starts_with('.') && !part.ends_with('.') && !part.contains("..");
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(ordinary)
        && dotted(name)
        && domain.len() <= 253
        && domain.contains('.')
        && dotted(domain)
        && domain.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["a@b.test", "A.b+c@x-y.example.com", "o'x@b.test"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b.test",
            "a@",
            "a@b",
            "a@.test",
            "a@b..c",
            "a b@c.test",
            "a@b@c.test",
            ".a@b.test",
            "a\n@b.test",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
