//! Numbers from a real memcached, which both programs count in.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use arroba::store::datastore::{MemcachedOptions, Numbering};

use super::at_once::{Length, both_write};
use super::side::{Setup, Side};

struct Memcached {
    child: Child,
    address: String,
}

impl Memcached {
    async fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let user = if cfg!(unix) { &["-u", "nobody"][..] } else { &[] };
        let child = Command::new("memcached")
            .args(["-l", "127.0.0.1", "-U", "0", "-p", &port.to_string()])
            .args(user)
            .stderr(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "memcached: {error}");
                eprintln!("SKIPPED: memcached does not start ({error}); nothing was tested with it");
                return None;
            }
        };
        let address = format!("127.0.0.1:{port}");
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Some(Self { child, address })
    }
}

impl Drop for Memcached {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_count_in_one_memcached() {
    let Some(memcached) = Memcached::start().await else { return };
    let setup = Setup {
        numbering: Numbering::Memcached(MemcachedOptions::new(memcached.address.clone())),
        memcached: Some(memcached.address.clone()),
        skipped_delay: 30,
        ..Setup::default()
    };
    let Some(side) = Side::start(setup).await else { return };
    both_write(&side, Length { seconds: 5, commits: 0 }).await;
}
