//! Connections whose answers are spoiled on their way out, below HTTP: for faults that the HTTP library would mend.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};

use super::service::Service;

/// How many bytes are on their way at most; the head of an answer has room in it.
const BUFFER: usize = 64 * 1024;

/// Takes connections, and lets the faults of a service rewrite what is written to them.
pub(super) struct Spoiled {
    listener: TcpListener,
    service: Arc<Service>,
}

impl Spoiled {
    pub(super) fn new(listener: TcpListener, service: Arc<Service>) -> Self {
        Self { listener, service }
    }
}

impl Listener for Spoiled {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let (near, far) = tokio::io::duplex(BUFFER);
        tokio::spawn(carry(stream, far, Arc::clone(&self.service)));
        (near, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Carries bytes both ways until both sides have ended. A connection that breaks is its client's business.
async fn carry(mut outside: TcpStream, inside: DuplexStream, service: Arc<Service>) {
    let (mut from_client, mut to_client) = outside.split();
    let (mut from_server, mut to_server) = tokio::io::split(inside);
    let requests = async {
        let end = tokio::io::copy(&mut from_client, &mut to_server).await;
        end.and(to_server.shutdown().await)
    };
    let answers = async {
        let mut bytes = Vec::with_capacity(BUFFER);
        while from_server.read_buf(&mut bytes).await? > 0 {
            service.faults.wire(&mut bytes);
            to_client.write_all(&bytes).await?;
            bytes.clear();
        }
        to_client.shutdown().await
    };
    let _ = tokio::join!(requests, answers);
}
