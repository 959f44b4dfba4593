//! `com.atproto.server.describeServer`

use arroba_lexicons::com_atproto::server::{DescribeServer, describe_server};
use arroba_xrpc::Output;
use axum::extract::State;

use crate::accounts::Logins;

pub(crate) async fn describe_server(State(logins): State<Logins>) -> Output<DescribeServer> {
    let offer = logins.offer();
    Output(describe_server::Output {
        invite_code_required: Some(offer.invite_required),
        phone_verification_required: None,
        blob_upload_limit: Some(logins.host().limits().blob_bytes),
        available_user_domains: offer.handle_domains.clone(),
        links: Some(describe_server::Links::default()),
        contact: Some(describe_server::Contact::default()),
        did: offer.service_did.clone(),
    })
}
