//! An HTTP/1.1 client that reads no more than it is asked to, and shows chunks as they came.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer to its end.
#[derive(Debug)]
pub struct Received {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A connection.
pub struct Open {
    pub io: TcpStream,
    read: BytesMut,
}

pub async fn open(port: u16) -> Open {
    let io = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    io.set_nodelay(true).unwrap();
    Open {
        io,
        read: BytesMut::new(),
    }
}

/// Sends a request on a new connection and reads the answer to its end.
pub async fn send(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Received {
    let mut open = open(port).await;
    open.request(method, path, headers, body).await;
    let (status, headers) = open.head().await;
    let mut all = BytesMut::new();
    if headers.contains_key("transfer-encoding") {
        while let Some(chunk) = open.chunk().await {
            all.extend_from_slice(&chunk);
        }
    } else if let Some(length) = headers.get("content-length") {
        let length: usize = length.to_str().unwrap().parse().unwrap();
        all.extend_from_slice(&open.exactly(length).await);
    }
    Received {
        status,
        headers,
        body: all.freeze(),
    }
}

impl Open {
    /// Sends the head of a request whose body comes in chunks.
    pub async fn begin(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        self.write_head(method, path, headers, "transfer-encoding: chunked")
            .await;
    }

    /// Sends a chunk of a body; an empty one ends it.
    pub async fn send_chunk(&mut self, chunk: &[u8]) {
        let mut bytes = format!("{:x}\r\n", chunk.len()).into_bytes();
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        self.io.write_all(&bytes).await.unwrap();
    }

    pub async fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let length = format!("content-length: {}", body.len());
        self.write_head(method, path, headers, &length).await;
        self.io.write_all(body).await.unwrap();
    }

    async fn write_head(&mut self, method: &str, path: &str, headers: &[(&str, &str)], framing: &str) {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{framing}\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        self.io.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads status and headers.
    pub async fn head(&mut self) -> (u16, HeaderMap) {
        let first = self.line().await;
        let status = first.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else {
                return (status, headers);
            };
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
    }

    /// The next chunk of a chunked body; `None` at its end.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        let size = usize::from_str_radix(&self.line().await, 16).unwrap();
        let chunk = self.exactly(size).await;
        assert_eq!(self.line().await, "");
        (size > 0).then_some(chunk)
    }

    /// Whether the connection ends here.
    pub async fn is_cut_off(&mut self) -> bool {
        self.read.is_empty()
            && self
                .io
                .read_buf(&mut self.read)
                .await
                .is_ok_and(|count| count == 0)
    }

    /// Reads a line.
    pub async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read.split_to(end);
                self.read.advance(2);
                return String::from_utf8(line.to_vec()).unwrap();
            }
            self.more().await;
        }
    }

    async fn exactly(&mut self, size: usize) -> Bytes {
        while self.read.len() < size {
            self.more().await;
        }
        self.read.split_to(size).freeze()
    }

    async fn more(&mut self) {
        let count = self.io.read_buf(&mut self.read).await.unwrap();
        assert!(
            count > 0,
            "the server closed the connection after {:?}",
            self.read
        );
    }
}
