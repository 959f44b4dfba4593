//! The schemas themselves, as documents of the lexicon language without any text for readers.
//!
//! The files lie in `schemas/`; `e2e/lexicons/run` compares them field by field with a published package.

use std::sync::Arc;

use arroba_core::{
    lexicon::{Catalog, Document},
    nsid,
    syntax::Nsid,
};

macro_rules! bundled {
    ($($nsid:literal,)+) => {
        /// Each bundled document with its name.
        const BUNDLED: &[(&str, &str)] =
            &[$(($nsid, include_str!(concat!("../schemas/", $nsid, ".json"))),)+];
    };
}

bundled! {
    "app.bsky.actor.contentVisibilityDeclaration",
    "app.bsky.actor.defs",
    "app.bsky.actor.getPreferences",
    "app.bsky.actor.getProfile",
    "app.bsky.actor.getProfiles",
    "app.bsky.actor.profile",
    "app.bsky.actor.putPreferences",
    "app.bsky.actor.status",
    "app.bsky.embed.defs",
    "app.bsky.embed.external",
    "app.bsky.embed.gallery",
    "app.bsky.embed.images",
    "app.bsky.embed.record",
    "app.bsky.embed.recordWithMedia",
    "app.bsky.embed.video",
    "app.bsky.feed.defs",
    "app.bsky.feed.generator",
    "app.bsky.feed.getActorLikes",
    "app.bsky.feed.getAuthorFeed",
    "app.bsky.feed.getPostThread",
    "app.bsky.feed.getPosts",
    "app.bsky.feed.getTimeline",
    "app.bsky.feed.like",
    "app.bsky.feed.post",
    "app.bsky.feed.postgate",
    "app.bsky.feed.repost",
    "app.bsky.feed.threadgate",
    "app.bsky.graph.block",
    "app.bsky.graph.defs",
    "app.bsky.graph.follow",
    "app.bsky.graph.list",
    "app.bsky.graph.listblock",
    "app.bsky.graph.listitem",
    "app.bsky.graph.starterpack",
    "app.bsky.graph.verification",
    "app.bsky.labeler.defs",
    "app.bsky.labeler.service",
    "app.bsky.notification.declaration",
    "app.bsky.notification.defs",
    "app.bsky.richtext.facet",
    "app.bsky.unspecced.defs",
    "app.bsky.unspecced.getPostThreadV2",
    "chat.bsky.actor.declaration",
    "com.atproto.admin.defs",
    "com.atproto.admin.deleteAccount",
    "com.atproto.admin.disableAccountInvites",
    "com.atproto.admin.disableInviteCodes",
    "com.atproto.admin.enableAccountInvites",
    "com.atproto.admin.getAccountInfo",
    "com.atproto.admin.getAccountInfos",
    "com.atproto.admin.getInviteCodes",
    "com.atproto.admin.getSubjectStatus",
    "com.atproto.admin.searchAccounts",
    "com.atproto.admin.sendEmail",
    "com.atproto.admin.updateAccountEmail",
    "com.atproto.admin.updateAccountHandle",
    "com.atproto.admin.updateAccountPassword",
    "com.atproto.admin.updateAccountSigningKey",
    "com.atproto.admin.updateSubjectStatus",
    "com.atproto.identity.defs",
    "com.atproto.identity.getRecommendedDidCredentials",
    "com.atproto.identity.refreshIdentity",
    "com.atproto.identity.requestPlcOperationSignature",
    "com.atproto.identity.resolveDid",
    "com.atproto.identity.resolveHandle",
    "com.atproto.identity.resolveIdentity",
    "com.atproto.identity.signPlcOperation",
    "com.atproto.identity.submitPlcOperation",
    "com.atproto.identity.updateHandle",
    "com.atproto.label.defs",
    "com.atproto.label.queryLabels",
    "com.atproto.label.subscribeLabels",
    "com.atproto.lexicon.resolveLexicon",
    "com.atproto.lexicon.schema",
    "com.atproto.moderation.createReport",
    "com.atproto.moderation.defs",
    "com.atproto.repo.applyWrites",
    "com.atproto.repo.createRecord",
    "com.atproto.repo.defs",
    "com.atproto.repo.deleteRecord",
    "com.atproto.repo.describeRepo",
    "com.atproto.repo.getRecord",
    "com.atproto.repo.importRepo",
    "com.atproto.repo.listMissingBlobs",
    "com.atproto.repo.listRecords",
    "com.atproto.repo.putRecord",
    "com.atproto.repo.strongRef",
    "com.atproto.repo.uploadBlob",
    "com.atproto.server.activateAccount",
    "com.atproto.server.checkAccountStatus",
    "com.atproto.server.confirmEmail",
    "com.atproto.server.createAccount",
    "com.atproto.server.createAppPassword",
    "com.atproto.server.createInviteCode",
    "com.atproto.server.createInviteCodes",
    "com.atproto.server.createSession",
    "com.atproto.server.deactivateAccount",
    "com.atproto.server.defs",
    "com.atproto.server.deleteAccount",
    "com.atproto.server.deleteSession",
    "com.atproto.server.describeServer",
    "com.atproto.server.getAccountInviteCodes",
    "com.atproto.server.getServiceAuth",
    "com.atproto.server.getSession",
    "com.atproto.server.listAppPasswords",
    "com.atproto.server.refreshSession",
    "com.atproto.server.requestAccountDelete",
    "com.atproto.server.requestEmailConfirmation",
    "com.atproto.server.requestEmailUpdate",
    "com.atproto.server.requestPasswordReset",
    "com.atproto.server.reserveSigningKey",
    "com.atproto.server.resetPassword",
    "com.atproto.server.revokeAppPassword",
    "com.atproto.server.updateEmail",
    "com.atproto.sync.defs",
    "com.atproto.sync.getBlob",
    "com.atproto.sync.getBlocks",
    "com.atproto.sync.getCheckout",
    "com.atproto.sync.getHead",
    "com.atproto.sync.getHostStatus",
    "com.atproto.sync.getLatestCommit",
    "com.atproto.sync.getRecord",
    "com.atproto.sync.getRepo",
    "com.atproto.sync.getRepoStatus",
    "com.atproto.sync.listBlobs",
    "com.atproto.sync.listHosts",
    "com.atproto.sync.listRepos",
    "com.atproto.sync.listReposByCollection",
    "com.atproto.sync.notifyOfUpdate",
    "com.atproto.sync.requestCrawl",
    "com.atproto.sync.subscribeRepos",
    "com.atproto.temp.addReservedHandle",
    "com.atproto.temp.checkHandleAvailability",
    "com.atproto.temp.checkSignupQueue",
    "com.atproto.temp.dereferenceScope",
    "com.atproto.temp.fetchLabels",
    "com.atproto.temp.requestPhoneVerification",
    "com.atproto.temp.revokeAccountCredentials",
    "com.germnetwork.declaration",
}

/// The record types whose schemas are bundled: all of `app.bsky`, `chat.bsky` and `com.atproto`, and one more that
/// the reference server knows.
///
/// A host checks records of these types unless it is told not to; others it cannot check.
pub const RECORDS: &[Nsid] = &[
    nsid!("app.bsky.actor.contentVisibilityDeclaration"),
    nsid!("app.bsky.actor.profile"),
    nsid!("app.bsky.actor.status"),
    nsid!("app.bsky.feed.generator"),
    nsid!("app.bsky.feed.like"),
    nsid!("app.bsky.feed.post"),
    nsid!("app.bsky.feed.postgate"),
    nsid!("app.bsky.feed.repost"),
    nsid!("app.bsky.feed.threadgate"),
    nsid!("app.bsky.graph.block"),
    nsid!("app.bsky.graph.follow"),
    nsid!("app.bsky.graph.list"),
    nsid!("app.bsky.graph.listblock"),
    nsid!("app.bsky.graph.listitem"),
    nsid!("app.bsky.graph.starterpack"),
    nsid!("app.bsky.graph.verification"),
    nsid!("app.bsky.labeler.service"),
    nsid!("app.bsky.notification.declaration"),
    nsid!("chat.bsky.actor.declaration"),
    nsid!("com.atproto.lexicon.schema"),
    nsid!("com.germnetwork.declaration"),
];

/// A catalog of all bundled schemas: everything in `com.atproto`, the record types [`RECORDS`], the methods of
/// `app.bsky` that are served or whose answers a server patches, and what these refer to.
///
/// Each call parses them anew, which takes some milliseconds: a host keeps the result.
#[must_use]
pub fn catalog() -> Arc<Catalog> {
    let mut catalog = Catalog::new();
    for (nsid, json) in BUNDLED {
        let document =
            Document::from_slice(json.as_bytes()).unwrap_or_else(|error| panic!("bundled {nsid}: {error}"));
        catalog.add(document).unwrap_or_else(|error| panic!("bundled twice: {error}"));
    }
    Arc::new(catalog)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_catalog_is_whole() {
        let catalog = catalog();
        assert_eq!(catalog.iter().count(), BUNDLED.len());
        assert_eq!(catalog.dangling(), []);
        for (document, (nsid, _)) in catalog.iter().zip(BUNDLED) {
            assert_eq!(document.id().as_str(), *nsid);
        }
        let records: Vec<_> =
            catalog.iter().map(Document::id).filter(|id| catalog.knows_record(id)).collect();
        assert_eq!(records, RECORDS.iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_file_is_bundled() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
        let files: BTreeSet<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(files, BUNDLED.iter().map(|(nsid, _)| format!("{nsid}.json")).collect());
    }

    #[test]
    fn no_texts_for_readers_are_bundled() {
        for (nsid, json) in BUNDLED {
            assert!(!json.contains("\"description\":\""), "{nsid}");
        }
    }
}
