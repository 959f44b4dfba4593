//! The real resolver, against a name server on loopback.

use arroba_net::{BackupDns, Dns, DnsError, SystemDns};
use async_trait::async_trait;
use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        RData, Record, RecordType,
        rdata::{A, AAAA, TXT},
    },
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};
use tokio::net::UdpSocket;

/// A name server that knows a few names; to all others it answers with this code.
async fn server(code: ResponseCode) -> SystemDns {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let query = Message::from_vec(&buffer[..length]).unwrap();
            let question = query.queries[0].clone();
            let mut answer = Message::response(query.metadata.id, OpCode::Query);
            let mut records = Vec::new();
            match (question.name().to_utf8().as_str(), question.query_type()) {
                ("_atproto.alice.test.", RecordType::TXT) => {
                    records.push(RData::TXT(TXT::new(vec!["did=did:plc:".to_owned(), "aaaa".to_owned()])));
                    records.push(RData::TXT(TXT::new(vec!["v=spf1".to_owned()])));
                    records.push(RData::TXT(TXT::from_bytes(vec![&[0xff]])));
                }
                ("host.test.", RecordType::A) => records.push(RData::A(A::new(192, 0, 2, 1))),
                ("host.test.", RecordType::AAAA) => {
                    records.push(RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)));
                }
                ("host.test.", _) => {}
                _ => answer.metadata.response_code = code,
            }
            for data in records {
                answer.add_answer(Record::from_rdata(question.name().clone(), 60, data));
            }
            answer.add_query(question);
            socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
        }
    });
    SystemDns::with_servers([address]).unwrap()
}

#[tokio::test]
async fn texts_are_joined_per_record() {
    let dns = server(ResponseCode::NXDomain).await;
    for name in ["_atproto.alice.test", "_atproto.alice.test."] {
        assert_eq!(dns.txt(name).await.unwrap(), ["did=did:plc:aaaa", "v=spf1"]);
    }
}

#[tokio::test]
async fn addresses_of_both_families() {
    let dns = server(ResponseCode::NXDomain).await;
    let mut addresses = dns.addresses("host.test").await.unwrap();
    addresses.sort();
    assert_eq!(addresses, ["192.0.2.1", "2001:db8::1"].map(|address| address.parse::<IpAddr>().unwrap()));
    for name in ["localhost", "localhost.", "a.localhost"] {
        assert!(dns.addresses(name).await.unwrap().iter().all(IpAddr::is_loopback));
    }
}

#[tokio::test]
async fn no_and_no_answer_are_told_apart() {
    let dns = server(ResponseCode::NXDomain).await;
    assert!(matches!(dns.txt("_atproto.bob.test").await, Err(DnsError::NotFound)));
    assert!(matches!(dns.addresses("bob.test").await, Err(DnsError::NotFound)));
    assert!(matches!(dns.txt("host.test").await, Err(DnsError::NotFound)));
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        let dns = server(code).await;
        assert!(matches!(dns.txt("_atproto.bob.test").await, Err(DnsError::Failed(_))), "{code}");
        assert!(matches!(dns.addresses("bob.test").await, Err(DnsError::Failed(_))), "{code}");
    }
    assert!(dns.txt("not a name..").await.is_err());
}

/// Servers of which none answers.
#[derive(Debug)]
struct Refusing;

#[async_trait]
impl Dns for Refusing {
    async fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, DnsError> {
        Err(DnsError::Failed("no server".into()))
    }

    async fn txt(&self, _: &str) -> Result<Vec<String>, DnsError> {
        Err(DnsError::Failed("no server".into()))
    }
}

#[tokio::test]
async fn a_backup_is_asked_second() {
    let failing = || Arc::new(Refusing);
    let known = Arc::new(server(ResponseCode::NXDomain).await);
    let dns = BackupDns::new(failing(), Arc::clone(&known) as _);
    assert_eq!(dns.txt("_atproto.alice.test").await.unwrap().len(), 2);
    assert!(dns.addresses("host.test").await.is_err());
    assert!(matches!(dns.txt("_atproto.bob.test").await, Err(DnsError::Failed(_))));
    let dns = BackupDns::new(known, failing());
    assert!(matches!(dns.txt("_atproto.bob.test").await, Err(DnsError::NotFound)));
}
