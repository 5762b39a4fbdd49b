//! What the operator answers on its own addresses.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

/// A free address for the operator to answer on.
pub struct Server {
    pub address: String,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { address: listener.local_addr().unwrap().to_string() }
    }

    /// The head and the body of the answer; none while nobody answers.
    pub fn get(&self, path: &str) -> Option<(String, String)> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.to_owned(), body.to_owned()))
    }

    /// The sum of a metric over all its labels that contain `labels`.
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let (_, metrics) = self.get("/metrics").unwrap_or_default();
        metrics
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once("} "))
            .filter(|(has, _)| has.contains(labels))
            .filter_map(|(_, value)| value.parse::<f64>().ok())
            .sum()
    }
}
