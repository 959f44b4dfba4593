//! Invite codes.

use arroba_core::syntax::Did;
use arroba_store::accounts::NewInvite;
use arroba_xrpc::{Result, XrpcError};

use super::{Logins, account_failed};
use crate::auth::AdminAuth;

/// The digits of a code.
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The most codes that one call makes.
const MOST: usize = 1000;

/// The most accounts that one code is good for.
const MOST_USES: i64 = 1_000_000;

impl Logins {
    /// Makes `count` codes for each of `accounts` (`None`: the operator), each good for `uses` accounts.
    pub(crate) async fn invite(
        &self,
        _proof: &AdminAuth,
        accounts: Vec<Option<Did>>,
        count: i64,
        uses: i64,
    ) -> Result<Vec<(Option<Did>, Vec<String>)>> {
        let count = usize::try_from(count).ok().filter(|count| (1..=MOST).contains(count));
        let count = count.filter(|count| count.saturating_mul(accounts.len()) <= MOST);
        let count = count
            .ok_or_else(|| XrpcError::invalid_request(format!("codeCount must be within 1 and {MOST}")))?;
        if !(1..=MOST_USES).contains(&uses) {
            return Err(XrpcError::invalid_request(format!("useCount must be within 1 and {MOST_USES}")));
        }
        let uses = u32::try_from(uses).map_err(XrpcError::internal)?;
        let made: Vec<(Option<Did>, Vec<String>)> = accounts
            .into_iter()
            .map(|account| (account, (0..count).map(|_| self.fresh_code()).collect()))
            .collect();
        let new = made.iter().flat_map(|(account, codes)| {
            codes.iter().map(|code| NewInvite { code: code.clone(), uses, account: account.clone() })
        });
        self.0.accounts.create_invites(new.collect(), self.now_micros()).await.map_err(account_failed)?;
        Ok(made)
    }

    /// The server's name and ten random digits: `pds-example-com-xxxxx-xxxxx`.
    fn fresh_code(&self) -> String {
        let mut random = [0; 10];
        self.0.randomness.fill(&mut random);
        let mut code = self.0.host.hostname().replace(['.', ':'], "-");
        for (index, byte) in random.into_iter().enumerate() {
            if index % 5 == 0 {
                code.push('-');
            }
            let digit = DIGITS.get(usize::from(byte) % DIGITS.len()).copied().unwrap_or(b'a');
            code.push(char::from(digit));
        }
        code
    }
}
