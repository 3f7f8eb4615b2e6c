//! Why a request is not passed on, or its answer not back.

use serde_json::Value;

use crate::access::Challenge;

/// Why, and what the client is told.
#[derive(Debug)]
pub enum Refused {
    /// The caller may not do this, and how it could.
    Challenge(Challenge),
    /// What it sent is no message that we and the server would read alike: an error of JSON-RPC.
    Message {
        /// The error's code.
        code: i32,
        /// The `id` of the message, where it has one.
        id: Value,
        /// What is wrong.
        text: &'static str,
    },
    /// The caller has as much under way as they may.
    Busy,
    /// A method that MCP does not have.
    Method,
    /// Its body is encoded so that we cannot read it.
    Encoding,
    /// Its body is longer than so many bytes.
    TooLarge(usize),
    /// Its body broke off.
    BrokeOff,
    /// Nothing is there.
    NotFound,
    /// The server is not there, or does not answer as it should.
    BadGateway(&'static str),
    /// The server does not answer in time.
    GatewayTimeout,
    /// The server cannot be told who asks (SEC-156).
    CannotSign,
}

impl From<Challenge> for Refused {
    fn from(challenge: Challenge) -> Self {
        Self::Challenge(challenge)
    }
}
